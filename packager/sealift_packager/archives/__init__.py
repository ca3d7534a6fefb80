"""Files from outside: what was checked is what is read.

Two readers of one archive can see different members in it (Python's ``zipfile`` and torch's reader do), and a file can be another one when it is
opened again. So nothing from outside is handed to a library as it came:

- ``own_copy``   a file is opened once and copied into a folder of ours; whatever looks at it or reads it afterwards takes the copy.
- ``directory``  where the copy is of a zip archive, its directory is read strictly: an archive that readers could understand differently is refused.
- ``members``    its members are unpacked in order, every byte of the archive belonging to one of them, and no more bytes than they say.
- ``fresh``      they are written into a new archive with a directory of our own: the copy.
- ``npz``        arrays by name from such a copy, each as long as its header says.
- ``packed``     files packed whole (gzip, …), as joblib writes them.
- ``memory_limit``  how much memory reading a model may take.
- ``limits``     how much an archive may hold.
- ``refusals``   errors about an archive.

Imports nothing of the packager but its errors.
"""
