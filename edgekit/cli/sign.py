"""`edgekit sign` and `edgekit verify`: who vouches for a bundle, and whether it is what they vouched for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgekit.cli.console import DebugOption, JsonOption, QuietOption, print_json, progress_for, say

if TYPE_CHECKING:
    from edgekit.bundle.verify import Verification

SIGN_EXAMPLES = """Examples:

openssl genpkey -algorithm ed25519 -out signing.key

edgekit sign my-bundle --key signing.key

edgekit sign sentiment-adapter --key signing.key"""

VERIFY_EXAMPLES = """Examples:

openssl pkey -in signing.key -pubout -out signing.pub

edgekit verify my-bundle --key signing.pub

edgekit verify downloaded --json

edgekit verify https://models.example/navigator --key signing.pub"""


def sign(
    bundle: Annotated[
        Path, typer.Argument(help="A bundle directory, or an adapter bundle.", show_default=False)
    ],
    key: Annotated[
        Path, typer.Option(help="Private key of Ed25519 in PEM, from openssl genpkey.", show_default=False)
    ],
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Sign a bundle: edgekit.sig lists its files with their SHA-256, under an Ed25519 signature; all offline."""
    from edgekit.bundle.verify import sign as run

    made = run(bundle, key)
    if as_json:
        print_json(made.to_json())
    else:
        say(f"{made.files[0]}, by the key {made.signed_by}")


def verify(
    bundle: Annotated[
        str,
        typer.Argument(
            help="A bundle directory, an adapter bundle, the assets/edgekit of a package; or a delivery: its folder, "
            "or its address.",
            show_default=False,
        ),
    ],
    key: Annotated[Path | None, typer.Option(help="Public key in PEM of who must have signed it.")] = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Check a signature, manifests, and every file's digest, of a bundle or a delivery; exit 1 when one is wrong."""
    from edgekit.bundle.delivery.place import is_delivery
    from edgekit.bundle.delivery.verify import DeliveryVerification, verify_delivery
    from edgekit.bundle.verify import verify as run

    found: Verification | DeliveryVerification
    if is_delivery(bundle):
        found = verify_delivery(bundle, key, progress_for(quiet=quiet or as_json))
    else:
        found = run(bundle, key)
    if as_json:
        print_json(found.to_json())
    elif found.passed:
        if not quiet:
            say(f"{len(found.checked)} files are unchanged: {', '.join(found.checked)}")
            if isinstance(found, DeliveryVerification):
                say(f"version {found.version} of {found.channel}")
        if found.signature:
            say(f"signed by the key {found.signed_by}")
        elif found.signed_by is not None:
            say(f"signed by the key {found.signed_by}, which was not checked: --key PUBLIC")
        else:
            say("not signed: the digests say that nothing was damaged, not who made it")
    found.raise_if_failed()
