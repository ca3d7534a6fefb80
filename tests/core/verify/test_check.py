"""`check_bundle`, rule by rule: in a directory, in a layout, and as a device does it, which hashes every byte once."""

from __future__ import annotations

import dataclasses
import json
import stat
from pathlib import Path

import pytest

from sealift_core.bundle import files
from sealift_core.bundle.digest import Digest
from sealift_core.bundle.layout import Descriptor, OciLayout
from sealift_core.bundle.limits import LIMITS
from sealift_core.bundle.release import BundleRef, Release, add_bundle, read_bundle_files
from sealift_core.bundle.signature import sign_directory
from sealift_core.errors import DocumentError, IntegrityError, LimitError, SealiftError, SignatureError
from sealift_core.signing.keys import PrivateKey
from sealift_core.verify import graph, operators
from sealift_core.verify.check import BundleCheck, BundleIdentity, DirectoryBundle, LayoutBundle, check_bundle, check_release_bundle, check_signer
from sealift_core.verify.graph import MAX_BYTES, check_graph, check_graph_file
from sealift_core.verify.materialize import materialize, read_file, read_manifest
from support.hostile_graphs import SHARD, external, function, model, node, number, part, tensor
from support.models import CORPUS, make_bundle, make_profile

KEY, OTHER = PrivateKey.generate(), PrivateKey.generate()
IDENTITY = BundleIdentity(name="sharded", version="1.0.0", profile="any-cpu")


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    make_bundle(tmp_path / "bundle", model="sharded", key=KEY)
    return tmp_path / "bundle"


@pytest.fixture
def layout(bundle: Path, tmp_path: Path) -> tuple[OciLayout, Release]:
    made = OciLayout.create(tmp_path / "layout")
    ref = add_bundle(made, bundle)
    return made, Release(name="sharded", version="1.0.0", bundles=(ref,), public_key=KEY.public_key)


def spoil(path: Path, *, at: int = -1) -> None:
    """Change a byte, whoever else has a link to the file."""
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.unlink()
    path.write_bytes(bytes(data))


def listed(directory: Path) -> dict[str, Descriptor]:
    """What an OCI manifest would say of a directory."""
    return {
        name: Descriptor(media_type="application/x", digest=Digest.of(path.read_bytes()), size_bytes=path.stat().st_size)
        for name, path in files.list_files(directory).items()
    }


# What is proved


def test_the_result_has_the_manifest_the_statement_and_every_size(bundle: Path) -> None:
    result = check_bundle(DirectoryBundle(directory=bundle), key=KEY.public_key, identity=IDENTITY)
    assert (result.manifest.name, result.manifest.version, result.manifest.profile.name) == ("sharded", "1.0.0", "any-cpu")
    assert result.sizes == {name: path.stat().st_size for name, path in files.list_files(bundle).items()}
    assert result.statement is not None
    assert result.statement.resources == {
        name: Digest.of(path.read_bytes()) for name, path in files.list_files(bundle).items() if name != files.SIGNATURE
    }


def test_without_a_key_no_signature_is_looked_at(bundle: Path) -> None:
    spoil(bundle / files.SIGNATURE)
    spoil(bundle / files.CARD)
    assert check_bundle(DirectoryBundle(directory=bundle), key=None).statement is None


def test_a_layout_is_checked_like_a_directory(layout: tuple[OciLayout, Release], bundle: Path) -> None:
    blobs, release = layout
    result = check_release_bundle(blobs, release, release.bundles[0], key=KEY.public_key)
    assert result == check_bundle(DirectoryBundle(directory=bundle), key=KEY.public_key)


# Rule 2


@pytest.mark.parametrize("key", [None, KEY.public_key], ids=["unsigned", "signed"])
def test_a_directory_is_what_its_oci_manifest_lists(bundle: Path, key: object) -> None:
    rows = listed(bundle)
    signer = KEY.public_key if key else None
    assert check_bundle(DirectoryBundle(directory=bundle, listed=rows), key=signer).sizes[files.GRAPH] == rows[files.GRAPH].size_bytes

    def refused(changed: dict[str, Descriptor], message: str) -> None:
        with pytest.raises(IntegrityError, match=message):
            check_bundle(DirectoryBundle(directory=bundle, listed=changed), key=signer)

    card = rows[files.CARD]
    refused({name: row for name, row in rows.items() if name != files.CARD}, rf"bundle/{files.CARD}: a file was added$")
    refused(rows | {files.SBOM: card}, rf"bundle/{files.SBOM}: a file is missing$")
    refused(
        rows | {files.CARD: dataclasses.replace(card, size_bytes=card.size_bytes + 1)},
        rf"bundle/{files.CARD}: the content was changed: expected {card.size_bytes + 1} bytes, found {card.size_bytes} bytes$",
    )
    other = Digest.of(b"other")
    refused(
        rows | {files.CARD: dataclasses.replace(card, digest=other)},
        rf"bundle/{files.CARD}: the content was changed: expected {card.digest}, found {other}$"
        if key
        else rf"bundle/{files.CARD}: the content was changed: expected {other}, found {card.digest}$",
    )


def test_sizes_are_compared_before_a_byte_is_read(bundle: Path) -> None:
    rows = listed(bundle)
    graph = rows[files.GRAPH]
    (bundle / files.GRAPH).chmod(0)
    (bundle / files.GRAPH).unlink()
    (bundle / files.GRAPH).write_bytes(bytes(graph.size_bytes + 1))
    with pytest.raises(IntegrityError, match=rf"expected {graph.size_bytes} bytes, found {graph.size_bytes + 1} bytes"):
        check_bundle(DirectoryBundle(directory=bundle, listed=rows), key=KEY.public_key)


# Rules 3 to 5


def test_an_unsigned_bundle_and_one_of_another_signer_are_refused(bundle: Path) -> None:
    with pytest.raises(SignatureError, match=r"bundle/model\.sig: the signature doesn't match"):
        check_bundle(DirectoryBundle(directory=bundle), key=OTHER.public_key)
    (bundle / files.SIGNATURE).unlink()
    with pytest.raises(SignatureError, match=r"bundle: the bundle is not signed\. Pack it with --key\.$"):
        check_bundle(DirectoryBundle(directory=bundle), key=KEY.public_key)


def test_a_file_that_was_signed_is_there_and_no_other(bundle: Path) -> None:
    (bundle / files.SBOM).write_text("{}")
    with pytest.raises(IntegrityError, match=rf"bundle/{files.SBOM}: a file was added after signing$"):
        check_bundle(DirectoryBundle(directory=bundle), key=KEY.public_key)
    sign_directory(bundle, "sharded", KEY)
    (bundle / files.SBOM).unlink()
    with pytest.raises(IntegrityError, match=rf"bundle/{files.SBOM}: a signed file is missing$"):
        check_bundle(DirectoryBundle(directory=bundle), key=KEY.public_key)


@pytest.mark.parametrize("name", [files.MANIFEST, files.GRAPH, files.GOLDEN, files.BASELINE, files.CARD, "weights/00001.bin"])
@pytest.mark.parametrize("documents", [True, False])
def test_every_file_has_the_digest_that_was_signed_whatever_is_read_of_it(bundle: Path, name: str, *, documents: bool) -> None:
    before = Digest.of((bundle / name).read_bytes())
    spoil(bundle / name)
    after = Digest.of((bundle / name).read_bytes())
    with pytest.raises(IntegrityError, match=rf"bundle/{name}: the content was changed: expected {before}, found {after}$"):
        check_bundle(DirectoryBundle(directory=bundle), key=KEY.public_key, documents=documents)


def test_a_blob_that_was_changed_is_named_with_its_path(layout: tuple[OciLayout, Release]) -> None:
    blobs, release = layout
    row = read_bundle_files(blobs, release.bundles[0].manifest.digest).layers["weights/00001.bin"]
    spoil(blobs.path(row.digest))
    with pytest.raises(
        IntegrityError, match=rf"layout \(any-cpu\)/weights/00001\.bin \(.*{row.digest.hex}\): the content was changed: expected {row.digest}"
    ):
        check_release_bundle(blobs, release, release.bundles[0], key=KEY.public_key)


@pytest.mark.parametrize("name", [files.CARD, files.MANIFEST, "weights/00000.bin", files.SIGNATURE])
def test_a_blob_that_is_missing_is_named(layout: tuple[OciLayout, Release], name: str) -> None:
    blobs, release = layout
    row = read_bundle_files(blobs, release.bundles[0].manifest.digest).layers[name]
    blobs.path(row.digest).unlink()
    with pytest.raises(IntegrityError, match=row.digest.hex):
        check_release_bundle(blobs, release, release.bundles[0], key=KEY.public_key)


def test_a_bundles_own_config_is_checked_too(layout: tuple[OciLayout, Release]) -> None:
    blobs, release = layout
    config = read_bundle_files(blobs, release.bundles[0].manifest.digest).config
    spoil(blobs.path(config.digest))
    with pytest.raises(IntegrityError, match=config.digest.hex):
        check_release_bundle(blobs, release, release.bundles[0], key=KEY.public_key)


def test_an_oci_manifest_of_another_size_than_the_release_says_is_refused(layout: tuple[OciLayout, Release]) -> None:
    blobs, release = layout
    ref = release.bundles[0]
    other = BundleRef(profile=ref.profile, manifest=dataclasses.replace(ref.manifest, size_bytes=ref.manifest.size_bytes + 1))
    with pytest.raises(IntegrityError, match=ref.manifest.digest.hex):
        check_release_bundle(blobs, release, other, key=KEY.public_key)


# Rule 6


@pytest.mark.parametrize(("field", "value"), [("name", "other"), ("version", "2.0.0"), ("profile", "another")])
def test_another_bundle_than_expected_is_refused(bundle: Path, field: str, value: str) -> None:
    expected = dataclasses.replace(IDENTITY, **{field: value})
    with pytest.raises(
        IntegrityError, match=rf"bundle/bundle\.json: another bundle than expected: expected {expected}, found sharded 1\.0\.0 any-cpu$"
    ):
        check_bundle(DirectoryBundle(directory=bundle), key=KEY.public_key, identity=expected)


def test_a_bundle_of_a_release_is_the_one_that_the_release_names(layout: tuple[OciLayout, Release]) -> None:
    blobs, release = layout
    for changed in (dataclasses.replace(release, name="other"), dataclasses.replace(release, version="2.0.0")):
        with pytest.raises(IntegrityError, match="another bundle than expected"):
            check_release_bundle(blobs, changed, release.bundles[0], key=KEY.public_key)
    ref = dataclasses.replace(release.bundles[0], profile="another")
    with pytest.raises(IntegrityError, match="another bundle than expected: expected sharded 1.0.0 another"):
        check_release_bundle(blobs, release, ref, key=KEY.public_key)


def test_a_manifest_that_cannot_be_read_is_named(bundle: Path) -> None:
    (bundle / files.MANIFEST).write_text("{}")
    sign_directory(bundle, "sharded", KEY)
    with pytest.raises(SealiftError, match=r"bundle/bundle\.json"):
        check_bundle(DirectoryBundle(directory=bundle), key=KEY.public_key)


# Rules 7 and 8


def test_a_graph_that_does_more_than_compute_is_refused_though_it_is_signed(bundle: Path) -> None:
    (bundle / files.GRAPH).write_bytes(model(part(1, node("Snpe", domain="com.microsoft"))))
    sign_directory(bundle, "sharded", KEY)
    with pytest.raises(IntegrityError, match=r"bundle/model\.onnx: an operator that a bundle may not use"):
        check_bundle(DirectoryBundle(directory=bundle), key=KEY.public_key)


def test_weights_lie_within_the_files_of_the_bundle_alone(bundle: Path) -> None:
    size = (bundle / "weights/00000.bin").stat().st_size
    for length, accepted in ((size, True), (size + 1, False)):
        (bundle / files.GRAPH).write_bytes(model(part(5, external("weights/00000.bin", length=str(length)))))
        sign_directory(bundle, "sharded", KEY)
        if accepted:
            check_bundle(DirectoryBundle(directory=bundle), key=KEY.public_key)
        else:
            with pytest.raises(IntegrityError, match=rf"external data beyond the end of its file: expected at most {size} bytes"):
                check_bundle(DirectoryBundle(directory=bundle), key=KEY.public_key)


@pytest.mark.parametrize("name", [files.GOLDEN, files.BASELINE])
def test_golden_cases_and_baseline_can_be_read_unless_that_is_left_to_the_self_test(bundle: Path, name: str) -> None:
    (bundle / name).write_bytes(b"nonsense")
    sign_directory(bundle, "sharded", KEY)
    with pytest.raises(SealiftError, match=rf"bundle/{name}"):
        check_bundle(DirectoryBundle(directory=bundle), key=KEY.public_key)
    assert check_bundle(DirectoryBundle(directory=bundle), key=KEY.public_key, documents=False).manifest.name == "sharded"


def test_as_many_golden_cases_are_there_as_the_manifest_says(bundle: Path) -> None:
    manifest = json.loads((bundle / files.MANIFEST).read_bytes())
    manifest["golden"]["cases"] += 1
    (bundle / files.MANIFEST).write_text(json.dumps(manifest))
    sign_directory(bundle, "sharded", KEY)
    with pytest.raises(SealiftError, match=rf"bundle/{files.GOLDEN}"):
        check_bundle(DirectoryBundle(directory=bundle), key=KEY.public_key)


# As a device does it


def check(bundle: Path, *, hashing: bool = True, weights_later: bool = False) -> BundleCheck:
    content = DirectoryBundle(directory=bundle)
    return BundleCheck(content, key=KEY.public_key, identity=IDENTITY, documents=False, hashing=hashing, weights_later=weights_later)


def test_weights_may_be_hashed_later_and_nothing_else(bundle: Path) -> None:
    checked = check(bundle, weights_later=True)
    checked.check_weights()
    spoil(bundle / "weights/00001.bin")
    with pytest.raises(IntegrityError, match=r"weights/00001\.bin: the content was changed"):
        checked.check_weights()
    later = check(bundle, weights_later=True)
    with pytest.raises(IntegrityError, match=r"weights/00001\.bin: the content was changed"):
        later.check_weights()
    with pytest.raises(IntegrityError, match=r"weights/00001\.bin: the content was changed"):
        check(bundle)
    spoil(bundle / files.CARD)
    with pytest.raises(IntegrityError, match=rf"{files.CARD}: the content was changed"):
        check(bundle, weights_later=True)


def test_weights_that_were_hashed_at_once_are_not_hashed_again(bundle: Path) -> None:
    checked = check(bundle)
    spoil(bundle / "weights/00001.bin")
    checked.check_weights()


def test_what_was_hashed_a_moment_ago_is_not_hashed_again_but_the_documents_are(bundle: Path) -> None:
    spoil(bundle / "weights/00001.bin")
    spoil(bundle / files.CARD)
    check(bundle, hashing=False).check_weights()
    check(bundle, hashing=False, weights_later=True).check_weights()
    spoil(bundle / files.MANIFEST)
    with pytest.raises(IntegrityError, match=rf"{files.MANIFEST}: the content was changed"):
        check(bundle, hashing=False)


def test_weights_that_have_gone_or_grown_meanwhile_are_refused(bundle: Path) -> None:
    checked = check(bundle, weights_later=True)
    path = bundle / "weights/00001.bin"
    path.unlink()
    with pytest.raises(IntegrityError, match=r"weights/00001\.bin: a file is missing$"):
        checked.check_weights()
    with path.open("wb") as file:
        file.truncate(LIMITS.bundle_bytes + 1)
    with pytest.raises(LimitError, match=r"weights/00001\.bin: too large"):
        checked.check_weights()


# The signer of a release


def test_a_release_names_the_trusted_key_or_none() -> None:
    release = Release(name="m", version="1.0.0", bundles=(), public_key=KEY.public_key)
    check_signer(release, KEY.public_key, where="r")
    check_signer(dataclasses.replace(release, public_key=None), KEY.public_key, where="r")
    mine, other = KEY.public_key.fingerprint[:16], OTHER.public_key.fingerprint[:16]
    with pytest.raises(SignatureError, match=f"^r: the release was signed with another key: expected {other}…, found {mine}…$"):
        check_signer(release, OTHER.public_key, where="r")


# From blobs to a directory


def test_files_are_links_to_the_blobs_or_copies(layout: tuple[OciLayout, Release], bundle: Path, tmp_path: Path) -> None:
    blobs, release = layout
    digest = release.bundles[0].manifest.digest
    for name, copies in (("links", False), ("copies", True)):
        out = tmp_path / "out" / name
        out.parent.mkdir(exist_ok=True)
        materialize(blobs, digest, out, copies=copies)
        assert {file: path.read_bytes() for file, path in files.list_files(out).items()} == {
            file: path.read_bytes() for file, path in files.list_files(bundle).items()
        }
        rows = read_bundle_files(blobs, digest).layers
        assert all(blobs.path(row.digest).samefile(out / file) is not copies for file, row in rows.items())
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["copies", "links"]


def test_what_stood_there_is_replaced_and_what_was_half_made_is_removed(layout: tuple[OciLayout, Release], tmp_path: Path) -> None:
    blobs, release = layout
    out, partial = tmp_path / "out", tmp_path / ".out.partial"
    for folder in (out, partial):
        folder.mkdir()
        (folder / "stranger").write_text("x")
    materialize(blobs, release.bundles[0].manifest.digest, out)
    assert not partial.exists()
    assert files.SIGNATURE in files.list_files(out)


def test_a_blob_that_was_changed_is_not_copied_and_what_stood_there_stays(layout: tuple[OciLayout, Release], tmp_path: Path) -> None:
    blobs, release = layout
    digest = release.bundles[0].manifest.digest
    out = tmp_path / "out"
    materialize(blobs, digest, out)
    before = stat.S_IMODE((out / files.CARD).stat().st_mode), (out / files.CARD).read_bytes()
    spoil(blobs.path(read_bundle_files(blobs, digest).layers["weights/00001.bin"].digest))
    with pytest.raises(IntegrityError):
        materialize(blobs, digest, out, copies=True)
    assert not (tmp_path / ".out.partial").exists()
    assert (stat.S_IMODE((out / files.CARD).stat().st_mode), (out / files.CARD).read_bytes()) == before


def test_documents_of_a_directory_are_read_within_their_bounds(bundle: Path) -> None:
    assert read_manifest(bundle).name == "sharded"
    assert read_file(bundle, "weights/00000.bin") == (bundle / "weights/00000.bin").read_bytes()
    with (bundle / files.MANIFEST).open("r+b") as file:
        file.truncate(LIMITS.manifest_bytes + 1)
    with pytest.raises(LimitError, match=rf"{files.MANIFEST}"):
        read_manifest(bundle)
    (bundle / files.MANIFEST).write_text("{}")
    with pytest.raises(DocumentError, match=r"bundle/bundle\.json"):
        read_manifest(bundle)
    (bundle / files.MANIFEST).unlink()
    (bundle / files.MANIFEST).symlink_to(bundle / files.CARD)
    with pytest.raises((SealiftError, OSError)):
        read_manifest(bundle)


# The graph, value by value


def test_an_onnx_file_is_below_2_gib() -> None:
    class Large(bytes):
        def __len__(self) -> int:
            return MAX_BYTES + 1

    with pytest.raises(LimitError, match=f"^g: too large: expected at most {MAX_BYTES} bytes, found {MAX_BYTES + 1} bytes$"):
        check_graph(Large(), {}, where="g")


def test_an_onnx_file_may_have_as_many_bytes_as_a_message(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = (CORPUS / "linear" / "model.onnx").read_bytes()
    monkeypatch.setattr(graph, "MAX_BYTES", len(plain))
    check_graph(plain, {}, where="g")


def test_a_graph_is_named_by_its_path_or_as_it_is_said(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"\xff")
    with pytest.raises(DocumentError, match=rf"^{path}: "):
        check_graph_file(path, {})
    with pytest.raises(DocumentError, match="^g: "):
        check_graph_file(path, {}, where="g")
    with pytest.raises(IntegrityError, match=r"^g: the graph can't be read \(No such file or directory\)$"):
        check_graph_file(tmp_path / "nothing", {}, where="g")
    path.write_bytes(b"")
    with pytest.raises(DocumentError, match="^g: no graph"):
        check_graph_file(path, {}, where="g")


@pytest.mark.parametrize(("offset", "length", "accepted"), [
    ("0", "64", True), ("64", "0", True), ("63", "1", True), ("1", "64", False), ("65", "0", False), ("64", "1", False),
    ("0", "9" * 18, False), ("0", "1" * 19, False), ("+1", "1", False), ("", "1", False), ("0", "", False), (" 1", "1", False), ("1\n", "1", False),
])  # fmt: skip
def test_external_data_lies_wholly_within_its_file(offset: str, length: str, *, accepted: bool) -> None:
    data = model(part(5, external(SHARD, offset=offset, length=length)))
    if accepted:
        check_graph(data, {SHARD: 64}, where="g")
    else:
        with pytest.raises(IntegrityError, match="^g: (external data beyond the end|the offset or length)"):
            check_graph(data, {SHARD: 64}, where="g")


def test_external_data_without_a_length_is_refused() -> None:
    with pytest.raises(IntegrityError, match="the offset or length of external data is not a number of bytes"):
        check_graph(model(part(5, external(SHARD, offset="0"))), {SHARD: 64}, where="g")


def test_a_weight_that_holds_its_values_is_accepted_and_has_no_place() -> None:
    check_graph(model(part(5, tensor(part(9, bytes(4)), values=1))), {}, where="g")


@pytest.mark.parametrize("name", sorted(operators.REFUSED))
@pytest.mark.parametrize("domain", ["", "com.microsoft", "my.domain"])
def test_an_operator_that_is_refused_is_refused_in_every_domain(name: str, domain: str) -> None:
    assert not operators.is_allowed(domain, name)
    assert not operators.may_define(domain, name)


@pytest.mark.parametrize(("domain", "name", "allowed", "definable"), [
    ("", "Conv", True, True), ("ai.onnx", "Conv", True, True), ("ai.onnx.ml", "Scaler", True, True), ("com.microsoft", "Gelu", True, True),
    ("com.microsoft", "Unknown", False, False), ("com.microsoft.nchwc", "Conv", True, True), ("com.ms.internal.nhwc", "Conv", True, True),
    ("com.microsoft.other", "Conv", False, False), ("my.domain", "Gelu", False, True), ("trt.plugins", "X", False, False), ("trt", "X", False, True),
    ("com.ms.other", "X", False, False), ("org.pytorch.aten", "X", False, False), ("com.nvidia.x", "X", False, False),
    ("my.com.nvidia", "X", False, True),
])  # fmt: skip
def test_operators_are_allowed_by_domain_and_name(domain: str, name: str, *, allowed: bool, definable: bool) -> None:
    assert operators.is_allowed(domain, name) is allowed
    assert operators.may_define(domain, name) is definable


def test_a_function_stands_for_its_own_domain_and_name_alone() -> None:
    body = part(7, node("Identity", inputs=("x",), output="y"))
    own = function("my.domain", "mine", body)
    check_graph(model(part(1, node("mine", domain="my.domain")), own), {}, where="g")
    for call in (node("mine", domain="other.domain"), node("other", domain="my.domain")):
        with pytest.raises(IntegrityError, match="an operator that a bundle may not use: .*found '(mine|other)' of '(other|my).domain'"):
            check_graph(model(part(1, call), own), {}, where="g")
    with pytest.raises(IntegrityError, match="a function in a domain that the model may not define functions in: .*found 'mine' of 'com.microsoft'"):
        check_graph(model(b"", function("com.microsoft", "mine", body)), {}, where="g")


def test_an_operator_without_a_domain_is_named_alone() -> None:
    with pytest.raises(IntegrityError, match="found 'EPContext'\\. A bundle's graph may only compute"):
        check_graph(model(part(1, node("EPContext"))), {}, where="g")


def test_two_profiles_of_one_release_are_told_apart(tmp_path: Path) -> None:
    blobs = OciLayout.create(tmp_path / "layout")
    refs = []
    for profile in ("one", "two"):
        make_bundle(tmp_path / profile, model="sharded", key=KEY, profile=make_profile(profile))
        refs.append(add_bundle(blobs, tmp_path / profile))
    release = Release(name="sharded", version="1.0.0", bundles=tuple(refs), public_key=KEY.public_key)
    swapped = dataclasses.replace(refs[0], manifest=refs[1].manifest)
    assert check_release_bundle(blobs, release, refs[0], key=KEY.public_key).manifest.profile.name == "one"
    with pytest.raises(IntegrityError, match="another bundle than expected"):
        check_release_bundle(blobs, release, swapped, key=KEY.public_key)


def test_a_layouts_files_are_found_by_their_digests(layout: tuple[OciLayout, Release]) -> None:
    blobs, release = layout
    bundle = read_bundle_files(blobs, release.bundles[0].manifest.digest)
    content = LayoutBundle(layout=blobs, bundle=bundle, where="here")
    assert content.listed == bundle.layers
    assert content.sizes() == {name: row.size_bytes for name, row in bundle.layers.items()}
    assert content.path(files.CARD) == blobs.path(bundle.layers[files.CARD].digest)
    with content.open(files.CARD) as file:
        assert file.read() == b"# sharded 1.0.0\n"


# What would pass unnoticed


def test_no_part_of_a_files_path_may_be_a_link(bundle: Path, tmp_path: Path) -> None:
    (bundle / "weights").rename(tmp_path / "elsewhere")
    (bundle / "weights").symlink_to(tmp_path / "elsewhere")
    with pytest.raises((SealiftError, OSError)):
        DirectoryBundle(directory=bundle).open("weights/00000.bin")
    with pytest.raises((SealiftError, OSError)):
        read_file(bundle, "weights/00000.bin")


def test_no_file_is_opened_before_all_sizes_were_compared(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = listed(bundle)
    rows["weights/00001.bin"] = dataclasses.replace(rows["weights/00001.bin"], size_bytes=1)

    def never(self: DirectoryBundle, name: str) -> object:
        raise AssertionError(name)

    monkeypatch.setattr(DirectoryBundle, "open", never)
    with pytest.raises(IntegrityError, match=r"weights/00001\.bin: the content was changed: expected 1 bytes"):
        check_bundle(DirectoryBundle(directory=bundle, listed=rows), key=None)


def test_a_graph_is_closed_again(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(model())
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(5):
        check_graph_file(path, {})
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_an_operator_or_a_function_without_a_name_is_left_to_whoever_loads_it() -> None:
    check_graph(model(part(1, part(1, "x"))), {}, where="g")
    check_graph(model(b"", part(25, part(7, node("Identity", inputs=("x",))))), {}, where="g")


CONSTANT = "external data where a graph may have none: expected external data only for initializers of the outermost graph, found "


@pytest.mark.parametrize("fields", [number(14, 1), part(13, part(1, "location") + part(2, SHARD)), number(14, 2)])
@pytest.mark.parametrize(("name", "shown"), [(b"", "a constant"), (part(8, "w"), "'w'"), (part(8, "w" * 200), repr("w" * 100))])
def test_a_constant_holds_its_own_values(fields: bytes, name: bytes, shown: str) -> None:
    constant = node("Constant", part(5, part(1, "value") + part(5, name + fields)))
    with pytest.raises(IntegrityError) as caught:
        check_graph(model(part(1, constant)), {SHARD: 64}, where="g")
    assert str(caught.value).startswith(f"g: {CONSTANT}{shown}. ")


def test_an_entry_of_external_data_has_a_name() -> None:
    weight = part(8, "w") + number(14, 1) + part(13, part(2, SHARD))
    with pytest.raises(IntegrityError, match="an entry of external data that isn't allowed: .*found '' of 'w'"):
        check_graph(model(part(5, weight)), {SHARD: 64}, where="g")
