"""Write the dashboards as Grafana reads them: `python grafana/build.py`. A test sees that they are up to date.

Grafana's own SDK knows the shape of the JSON; what is on the dashboards is in `panels.py`.
"""

import json
import sys
from pathlib import Path
from typing import Any

from grafana_foundation_sdk.builders import bargauge, common, prometheus, stat, timeseries
from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models.common import LegendDisplayMode, LegendPlacement, StackingMode, TooltipDisplayMode

sys.path.insert(0, str(Path(__file__).parent))
from panels import DASHBOARDS, Dashboard, Panel

FOLDER = Path(__file__).parent / "dashboards"
SOURCE = model.DataSourceRef(type_val="prometheus", uid="${datasource}")
HEIGHTS = {"timeseries": 8, "bars": 8, "stat": 4}
REFRESH = "10s"


def _panel(panel: Panel) -> Any:
    builders = {"timeseries": timeseries.Panel, "stat": stat.Panel, "bars": bargauge.Panel}
    made: Any = builders[panel.kind]().title(panel.title).datasource(SOURCE).unit(panel.unit)
    made = made.span(panel.width).height(HEIGHTS[panel.kind]).min(0)
    if panel.about:
        made = made.description(panel.about)
    if panel.kind == "timeseries":
        legend = common.VizLegendOptions().display_mode(LegendDisplayMode.LIST).placement(LegendPlacement.BOTTOM)
        made = made.legend(legend.show_legend(True)).fill_opacity(10).line_width(1)
        made = made.tooltip(common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI))
        if panel.stack:
            made = made.stacking(common.StackingConfig().mode(StackingMode.NORMAL))
    if panel.thresholds is not None:
        orange, red = panel.thresholds
        steps = [
            model.Threshold(value=None, color="green"),
            model.Threshold(value=orange, color="orange"),
            model.Threshold(value=red, color="red"),
        ]
        made = made.thresholds(build.ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE).steps(steps))
    for n, query in enumerate(panel.queries):
        target = prometheus.Dataquery().expr(query.expr).ref_id(chr(ord("A") + n)).datasource(SOURCE)
        if query.legend:
            target = target.legend_format(query.legend)
        made = made.with_target(target)
    return made


def _dashboard(page: Dashboard) -> str:
    made = build.Dashboard(page.title).uid(page.uid).tags(["yizhan"]).refresh(REFRESH).time("now-1h", "now")
    made = made.timezone("browser").readonly().tooltip(model.DashboardCursorSync.CROSSHAIR)
    made = made.link(
        build.DashboardLink("Yizhan").type(model.DashboardLinkType.DASHBOARDS).tags(["yizhan"]).as_dropdown(True)
    )
    source = build.DatasourceVariable("datasource").label("Data source").type("prometheus")
    made = made.with_variable(source)
    for name, metric in page.variables:
        variable = build.QueryVariable(name).label(name.capitalize()).datasource(SOURCE)
        variable = variable.query(f"label_values({metric}, {name})").multi(True).include_all(True).all_value(".*")
        made = made.with_variable(variable.refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED))
    number = 0
    for heading, panels in page.rows:
        number += 1
        made = made.with_row(build.Row(heading).id(number))
        for panel in panels:
            number += 1
            made = made.with_panel(_panel(panel).id(number))
    return json.dumps(json.loads(JSONEncoder(sort_keys=True).encode(made.build())), indent=2, ensure_ascii=False) + "\n"


def built() -> dict[str, str]:
    """Every dashboard: the name of its file, and what is in it."""
    return {f"{page.uid.removeprefix('yizhan-')}.json": _dashboard(page) for page in DASHBOARDS}


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, text in built().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
        sys.stdout.write(f"wrote {name}\n")
