"""`report`: what there is to see of a path, as one HTML file."""

from pathlib import Path
from typing import Any

import click

from spikesim_cli.json_option import JsonDocument, json_option
from spikesim_cli.options import PATH, PLACE, check_free, overwrite_option, part_options, read_options, size_options

_KEYS = {
    "output": "the HTML file",
    "bytes": "its size, bytes",
    "title": "heading of the report",
    "sections": "headings of its parts",
}


@click.command()
@click.argument("paths", type=PLACE, nargs=-1, required=True, metavar="PATH...")
@click.option("--out", type=PATH, default=Path("report.html"), show_default=True, help="The file to write.")
@overwrite_option("the report if it is there")
@size_options
@part_options
@json_option(JsonDocument(_KEYS))
def report(paths: tuple[Any, ...], out: Path, overwrite: bool, as_json: bool, **options: Any) -> None:
    """Show PATH, a dataset, a spike file, a training run or an evaluation, as one HTML file that opens in any browser
    and needs nothing else. Training runs and evaluations can be shown together. A dataset may also be given by its
    address, s3://BUCKET/KEY or https://HOST/PLACE.

    \b
    Examples:
      spikesim report data/gopro
      spikesim report recording.dat --height 250 --width 400 --out recording.html
      spikesim report runs/ssdm runs/other results --out runs.html
    """
    from spikesim_cli.console import messages, print_json
    from spikesim_cli.steps import Steps
    from spikesim_report.page_file import write_page
    from spikesim_report.reports import page_of
    from spikesim_report.words import size

    check_free(out, overwrite)
    with Steps("report").shown() as steps:
        page = page_of(paths, on_progress=steps.tell, **read_options(paths[0], **options))
    written = write_page(page, out)
    if as_json:
        sections = [section.title for section in page.sections]
        print_json({"output": out, "bytes": written, "title": page.title, "sections": sections})
        return
    messages.print(f"{out}: {size(written)}")
