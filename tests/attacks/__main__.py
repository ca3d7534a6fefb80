"""``python -m attacks [SIDE …]``: attack a device that serves, and print what it did as a table for docs/reference/attacks.md."""

from __future__ import annotations

import sys

from attacks import clients, clocks, hubs, keys, media, servers
from attacks.attack import ATTACKS, Attack
from attacks.site import SteadyClient, site

#: Importing them registers their attacks.
SIDES = tuple(module.__name__.rpartition(".")[2] for module in (clients, servers, media, clocks, keys, hubs))


def main(words: list[str]) -> int:
    """Carry the attacks out; 0 if all held."""
    unknown = [word for word in words if word not in SIDES]
    if unknown:
        print(f"error: there are no attacks from {unknown[0]}: expected {', '.join(SIDES)}", file=sys.stderr)
        return 2
    failures = [failure for side in words or SIDES for failure in _side(side)]
    for failure in failures:
        print(f"didn't hold: {failure}", file=sys.stderr)
    return int(bool(failures))


def _side(side: str) -> list[str]:
    print(f"\n### From the side of {side}\n\n| what was tried | what the agent did | what its clients had meanwhile |\n|---|---|---|", flush=True)
    return [failure for attack in ATTACKS if attack.side == side for failure in _carry_out(attack)]


def _carry_out(attack: Attack) -> list[str]:
    """Print the attack's line; why it didn't hold, if it didn't."""
    failures = []
    with site() as attacked:
        try:
            outcome = attack.act(attacked)
        except Exception as error:  # noqa: BLE001 - one attack that isn't held must not hide the others
            outcome = "**didn't hold**"
            failures.append(f"{attack.name}: {error!r}")
        attacked.client.stop()
        failures += [f"{attack.name}: a client who meant well got {failure}" for failure in attacked.client.failures[:1]]
        print(f"| {attack.name} | {outcome} | {_meanwhile(attacked.client)} |", flush=True)
    return failures


def _meanwhile(client: SteadyClient) -> str:
    return f"{client.answered:,} right answers, {len(client.failures)} failures, {client.longest_wait_s * 1000:.0f} ms at most"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
