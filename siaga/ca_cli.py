"""`siaga ca`: wiring only, as siaga/cli.py."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from siaga.terminal import give_up

ca_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
Folder = Annotated[Path, typer.Option("--ca", file_okay=False, help="The folder with the authority's key.")]
Days = Annotated[int | None, typer.Option(min=1, help="How long it is good. [devices 730, servers 397]")]
Csr = Annotated[
    Path | None, typer.Option(exists=True, dir_okay=False, help="A request: its key stays where it was made.")
]
Out = Annotated[Path | None, typer.Option(help="Where NAME.pem and NAME-key.pem go. [this folder]", file_okay=False)]
HERE = Path("siaga-ca")


@ca_app.command("init")
def init(
    ca: Folder = HERE,
    name: Annotated[str, typer.Option(help="What the authority is called.")] = "Siaga devices",
    years: Annotated[int, typer.Option(min=1, max=30, help="How long it is good.")] = 10,
) -> None:
    """Make an authority. Keep its folder off the servers: who has its key can be any device."""
    from siaga import ca as authority

    try:
        authority.init(ca, name, authority.now_utc(), years)
    except authority.CaError as error:
        give_up(error)
    typer.echo(f"{ca / authority.CERTIFICATE}: for brokers and devices\n{ca / authority.KEY}: for nobody else")


@ca_app.command("issue")
def issue(
    names: Annotated[
        list[str], typer.Argument(metavar="NAME…", help="A device's id; of a server its names, addresses.")
    ],
    server: Annotated[bool, typer.Option("--server", help="For a server.")] = False,
    node: Annotated[
        bool, typer.Option("--node", help="For a server of a cluster: its nodes show it to each other, too.")
    ] = False,
    ca: Folder = HERE,
    days: Days = None,
    csr: Csr = None,
    out: Out = None,
) -> None:
    """Issue a certificate, and a key unless a request brings its own. The key is written once and kept nowhere else."""
    from siaga import ca as authority

    folder = out or Path()
    try:
        there, now = authority.Authority(ca), authority.now_utc()
        request = csr.read_bytes() if csr else None
        if server or node:
            issued = there.server(names, now, days or authority.SERVER_DAYS, request, node)
        elif len(names) > 1:
            raise authority.CaError("a device has one name; more are for --server")
        else:
            issued = there.device(names[0], now, days or authority.DEVICE_DAYS, request)
        certificate, key = folder / f"{names[0]}.pem", folder / f"{names[0]}-key.pem"
        authority.write(issued, certificate, key)
    except (authority.CaError, OSError) as error:
        give_up(error)
    typer.echo(f"{certificate}" + (f"\n{key}" if issued.key else ""))


@ca_app.command("revoke")
def revoke(name: Annotated[str, typer.Argument(metavar="NAME")], ca: Folder = HERE) -> None:
    """Put the certificates of a name on the list of revoked ones; give that to Mosquitto, and revoke the credential."""
    from siaga import ca as authority

    try:
        count = authority.Authority(ca).revoke(name, authority.now_utc())
    except authority.CaError as error:
        give_up(error)
    typer.echo(f"{count} revoked; {ca / authority.CRL} is written anew")


@ca_app.command("crl")
def crl(ca: Folder = HERE) -> None:
    """Write the list of revoked certificates anew: each is good for 30 days."""
    from siaga import ca as authority

    try:
        authority.Authority(ca).write_crl(authority.now_utc())
    except authority.CaError as error:
        give_up(error)
    typer.echo(f"{ca / authority.CRL}")
