"""Every page of the dashboard in every state worth a look: for pictures, and for axe-core.

What a healthy stack does not show (dead letters, an outage, a search that fails) is put in place of the API's answers.
"""

from collections.abc import Callable
from dataclasses import dataclass

from playwright.sync_api import Route

from answers import (
    ALERTING,
    ANOMALIES,
    ANOMALY,
    ANOMALY_DETAIL,
    BACKTEST,
    BROKEN,
    CHANNELS,
    COUNTED,
    DEAD_LETTERS,
    DELIVERIES,
    DIFF,
    FIRING,
    INCIDENT,
    INCIDENT_DETAIL,
    LETTER,
    LOG,
    OVERFLOWED,
    RESOLVED,
    RULES,
    SILENCES,
    TEMPLATE,
    TEMPLATE_DETAIL,
    WINDOWS,
    answer,
)
from visitor import NARROW, Visitor

type Scene = Callable[[Visitor, Place], None]


@dataclass(frozen=True)
class Place:
    """An application with keys, and the fragment that finds its logs; more terms can be appended to that."""

    application: str
    logs: str


def signin(visitor: Visitor, place: Place) -> None:
    signed_out(visitor)
    visitor.open()
    visitor.page.get_by_role("heading", name="Sign in").wait_for()


def signin_refused(visitor: Visitor, place: Place) -> None:
    signed_out(visitor)
    visitor.open("pipeline")
    visitor.page.get_by_label("API key").fill("slc_this_is_none")
    visitor.button("Sign in").click()
    visitor.page.get_by_role("alert").wait_for()


def signed_out(visitor: Visitor) -> None:
    """For this scene: the session itself stays."""
    visitor.page.route(
        "**/api/session",
        lambda route: (
            route.fulfill(status=401, json={"code": "invalid_session", "detail": ""})
            if route.request.method == "GET"
            else route.continue_()
        ),
    )


def logs(visitor: Visitor, place: Place) -> None:
    visitor.go(place.logs)
    visitor.rows().first.wait_for()


def logs_columns(visitor: Visitor, place: Place) -> None:
    visitor.go(place.logs + "&column=service&column=metadata.region&wrap=1")
    visitor.button("Columns").click()


def logs_open(visitor: Visitor, place: Place) -> None:
    visitor.go(place.logs + "+level%3Aerror")
    visitor.rows().first.click()
    visitor.page.locator(".logs-detail").wait_for()


def logs_context(visitor: Visitor, place: Place) -> None:
    logs_open(visitor, place)
    visitor.button("Context").click()
    visitor.page.locator(".logs-neighbour").first.wait_for()


def logs_sidebar(visitor: Visitor, place: Place) -> None:
    visitor.go(place.logs)
    sidebar = visitor.page.get_by_role("complementary", name="Fields")
    if visitor.page.viewport_size == NARROW:
        visitor.button("Fields").click()
    sidebar.locator("summary", has_text="Metadata").click()
    sidebar.locator(".logs-keys summary").first.wait_for()


def logs_times(visitor: Visitor, place: Place) -> None:
    visitor.go(place.logs)
    visitor.page.get_by_role("button", name="Time range").click()
    visitor.page.get_by_label("From").wait_for()


def logs_completion(visitor: Visitor, place: Place) -> None:
    visitor.go("logs?since=-24h")
    visitor.page.get_by_role("combobox").press_sequentially("level:error ser")
    visitor.page.get_by_role("option").first.wait_for()


def logs_help(visitor: Visitor, place: Place) -> None:
    visitor.go(place.logs)
    visitor.button("How to search").click()
    visitor.dialog().get_by_text("level:>=warning").first.wait_for()


def logs_mistake(visitor: Visitor, place: Place) -> None:
    visitor.go("logs?q=refused%20levle%3Aerror")
    visitor.page.get_by_role("heading", name="The search has a mistake").wait_for()


def logs_nothing_found(visitor: Visitor, place: Place) -> None:
    visitor.go("logs?q=unheardof&since=-5m")
    visitor.page.get_by_role("heading", name="No log fits").wait_for()


def logs_none_yet(visitor: Visitor, place: Place) -> None:
    empty: dict[str, object] = {"logs": [], "next_cursor": None, "previous_cursor": None, "partial": False}
    answer(visitor, "**/api/logs?*", empty)
    visitor.go("logs")
    visitor.page.get_by_role("heading", name="No logs yet").wait_for()


def logs_failed(visitor: Visitor, place: Place) -> None:
    answer(visitor, "**/api/logs?*", BROKEN, 503)
    visitor.go(place.logs)
    visitor.button("Try again").wait_for()


def logs_searching(visitor: Visitor, place: Place) -> None:
    def never(route: Route) -> None:
        """The route stays unanswered."""

    visitor.page.route("**/api/logs?*", never)
    visitor.page.route("**/api/histogram?*", never)
    visitor.open("nowhere")  # what was found before would stay
    visitor.go(place.logs + "+searching")
    visitor.page.locator(".loading").wait_for()


def logs_live(visitor: Visitor, place: Place) -> None:
    visitor.go(place.logs + "&tail=1")
    visitor.page.locator(".is-live").wait_for()


def logs_export(visitor: Visitor, place: Place) -> None:
    visitor.go(place.logs)
    visitor.rows().first.wait_for()
    visitor.button("Export").click()


def alerts_channels(visitor: Visitor, place: Place) -> None:
    answer(visitor, "**/api/channels?*", {"channels": CHANNELS, "next_cursor": None})
    visitor.go("alerts/channels")
    visitor.page.get_by_role("table").wait_for()


def alerts_no_channels(visitor: Visitor, place: Place) -> None:
    answer(visitor, "**/api/channels?*", {"channels": [], "next_cursor": None})
    visitor.go("alerts/channels")
    visitor.page.get_by_role("heading", name="Nobody is told yet").wait_for()
    visitor.button("New channel").click()


def alerts_silences(visitor: Visitor, place: Place) -> None:
    answer(visitor, "**/api/silences?*", {"silences": SILENCES, "next_cursor": None})
    answer(visitor, "**/api/maintenance-windows", {"maintenance_windows": WINDOWS})
    visitor.go("alerts/silences")
    visitor.page.get_by_role("table", name="Maintenance windows").wait_for()


def alerts_window(visitor: Visitor, place: Place) -> None:
    answer(visitor, "**/api/silences?*", {"silences": [], "next_cursor": None})
    answer(visitor, "**/api/maintenance-windows", {"maintenance_windows": []})
    visitor.go("alerts/silences")
    visitor.page.get_by_role("heading", name="No maintenance is planned").wait_for()
    visitor.button("New window").click()


def templates(visitor: Visitor, place: Place) -> None:
    visitor.go("templates?since=-30d")
    visitor.page.get_by_role("table").wait_for()


def templates_none_found(visitor: Visitor, place: Place) -> None:
    visitor.go("templates?q=unheardof")
    visitor.page.get_by_role("heading", name="No template is like this").wait_for()


def templates_overflowed(visitor: Visitor, place: Place) -> None:
    answer(visitor, "**/api/templates?*", OVERFLOWED)
    visitor.go("templates")
    visitor.page.get_by_text("new messages all go to one").wait_for()


def templates_failed(visitor: Visitor, place: Place) -> None:
    answer(visitor, "**/api/templates?*", BROKEN, 503)
    visitor.go("templates")
    visitor.button("Try again").wait_for()


def template(visitor: Visitor, place: Place) -> None:
    answer(visitor, f"**/api/templates/{TEMPLATE['id']}?*", TEMPLATE_DETAIL)
    visitor.go(f"templates/{TEMPLATE['id']}")
    visitor.page.get_by_role("region", name="Values").wait_for()


def template_rename(visitor: Visitor, place: Place) -> None:
    template(visitor, place)
    visitor.button("Rename").click()


def template_merge(visitor: Visitor, place: Place) -> None:
    template(visitor, place)
    answer(visitor, "**/api/templates?*", OVERFLOWED)
    visitor.button("Merge").click()
    visitor.page.get_by_role("radio").first.check()


def template_unknown(visitor: Visitor, place: Place) -> None:
    visitor.go("templates/2147483647")
    visitor.button("Try again").wait_for()


def home(visitor: Visitor, place: Place) -> None:
    answer(visitor, "**/api/incidents?status=firing*", {"incidents": FIRING, "next_cursor": None})
    answer(visitor, "**/api/incidents?status=resolved*", {"incidents": RESOLVED, "next_cursor": None})
    answer(visitor, "**/api/anomalies?*", {"anomalies": ANOMALIES[:1], "next_cursor": None})
    visitor.go("home")
    visitor.page.get_by_role("region", name="Unusual").get_by_role("listitem").first.wait_for()
    home_has_counted(visitor)


def home_calm(visitor: Visitor, place: Place) -> None:
    answer(visitor, "**/api/incidents?status=firing*", {"incidents": [], "next_cursor": None})
    answer(visitor, "**/api/incidents?status=resolved*", {"incidents": RESOLVED[:1], "next_cursor": None})
    answer(visitor, "**/api/anomalies?*", {"anomalies": [], "next_cursor": None})
    answer(visitor, "**/api/templates?*", OVERFLOWED)
    visitor.go("home")
    visitor.page.get_by_role("heading", name="Nothing unusual since").wait_for()
    home_has_counted(visitor)


def home_failed(visitor: Visitor, place: Place) -> None:
    for path in ("incidents?*", "templates?*", "histogram?*", "ledger", "pipeline"):
        answer(visitor, f"**/api/{path}", BROKEN, 503)
    visitor.go("home")
    visitor.button("Try again").nth(2).wait_for()


def home_has_counted(visitor: Visitor) -> None:
    visitor.page.get_by_role("table", name="Volume by application").wait_for()
    visitor.page.get_by_text("accepted =").wait_for()


def anomalies(visitor: Visitor, place: Place) -> None:
    answer(visitor, "**/api/anomalies?*", {"anomalies": ANOMALIES, "next_cursor": "more"})
    answer(visitor, "**/api/histogram?*", COUNTED)
    visitor.go("anomalies?since=-7d")
    visitor.page.get_by_role("region", name="Found").get_by_role("listitem").first.wait_for()
    visitor.page.locator("canvas").wait_for()


def anomalies_none(visitor: Visitor, place: Place) -> None:
    answer(visitor, "**/api/anomalies?*", {"anomalies": [], "next_cursor": None})
    visitor.go("anomalies")
    visitor.page.get_by_role("heading", name="Nothing unusual").wait_for()


def anomaly(visitor: Visitor, place: Place) -> None:
    answer(visitor, f"**/api/anomalies/{ANOMALY['id']}", ANOMALY_DETAIL)
    answer(visitor, "**/api/logs/*?*", {"log": LOG, "before": [], "after": []})
    visitor.go(f"anomalies/{ANOMALY['id']}")
    visitor.page.locator("canvas").wait_for()
    visitor.page.get_by_role("region", name="Samples").get_by_role("listitem").first.wait_for()


def alerts(visitor: Visitor, place: Place) -> None:
    answer(visitor, "**/api/incidents?*status=firing*", {"incidents": FIRING, "next_cursor": None})
    answer(visitor, "**/api/incidents?*status=resolved*", {"incidents": RESOLVED, "next_cursor": "more"})
    visitor.go("alerts")
    visitor.page.get_by_role("table", name="Resolved incidents").wait_for()


def alerts_none(visitor: Visitor, place: Place) -> None:
    answer(visitor, "**/api/incidents?*", {"incidents": [], "next_cursor": None})
    visitor.go("alerts")
    visitor.page.get_by_role("heading", name="Nothing fires").wait_for()


def alerts_failed(visitor: Visitor, place: Place) -> None:
    answer(visitor, "**/api/incidents?*", BROKEN, 503)
    visitor.go("alerts")
    visitor.button("Try again").nth(1).wait_for()


def alerts_incident(visitor: Visitor, place: Place) -> None:
    answer(visitor, "**/api/incidents/*", INCIDENT_DETAIL)
    answer(visitor, "**/api/histogram?*", COUNTED)
    answer(visitor, "**/api/deliveries?*", {"deliveries": DELIVERIES, "next_cursor": None})
    visitor.go(f"alerts/incidents/{INCIDENT['id']}")
    visitor.page.locator("canvas").wait_for()


def alerts_rules(visitor: Visitor, place: Place) -> None:
    answer(visitor, "**/api/rules?*", {"rules": RULES, "next_cursor": None})
    visitor.go("alerts/rules")
    visitor.page.get_by_role("table").wait_for()


def alerts_rule(visitor: Visitor, place: Place) -> None:
    answer(visitor, "**/api/rules/2", {"rule": RULES[1]})
    answer(visitor, "**/api/rules/test", BACKTEST)
    visitor.go("alerts/rules/2")
    visitor.button("Try it").click()
    visitor.page.get_by_text("Would have fired 3 times").wait_for()


def alerts_rule_refused(visitor: Visitor, place: Place) -> None:
    refusal = {"code": "invalid_query", "detail": "there is no field 'levle' (at 0); expected: level"}
    answer(visitor, "**/api/rules", refusal, 400)
    visitor.go("alerts/rules/new")
    visitor.button("Create rule").click()
    visitor.page.get_by_role("alert").wait_for()


def templates_versions(visitor: Visitor, place: Place) -> None:
    answer(visitor, "**/api/diff?*", DIFF)
    visitor.go("templates/versions")
    visitor.page.get_by_role("table", name="Gone with 2.0").wait_for()


def templates_no_versions(visitor: Visitor, place: Place) -> None:
    nothing: dict[str, object] = {"versions": [], "spans": [], "only_new": [], "gone": [], "changed": []}
    answer(visitor, "**/api/diff?*", DIFF | nothing | {"version": None})
    visitor.go("templates/versions")
    visitor.page.get_by_role("heading", name="No log names a version").wait_for()


def applications(visitor: Visitor, place: Place) -> None:
    visitor.go("applications")
    visitor.page.get_by_role("table").wait_for()


def applications_none_found(visitor: Visitor, place: Place) -> None:
    visitor.go("applications")
    visitor.page.get_by_label("Find by name").fill("zzz")
    visitor.page.get_by_role("heading", name="No application has").wait_for()


def applications_new(visitor: Visitor, place: Place) -> None:
    visitor.go("applications")
    visitor.button("New application").click()


def application(visitor: Visitor, place: Place) -> None:
    visitor.go(f"applications/{place.application}")
    visitor.page.get_by_role("table").wait_for()


def application_new_key(visitor: Visitor, place: Place) -> None:
    visitor.go(f"applications/{place.application}")
    visitor.button("New key").click()


def application_revoke(visitor: Visitor, place: Place) -> None:
    visitor.go(f"applications/{place.application}")
    visitor.button("Revoke").first.click()


def application_unknown(visitor: Visitor, place: Place) -> None:
    visitor.go("applications/nobody")
    visitor.button("Try again").first.wait_for()


def pipeline(visitor: Visitor, place: Place) -> None:
    visitor.go("pipeline")
    visitor.page.get_by_role("heading", name="Backlog").wait_for()
    visitor.page.get_by_text("answered 202").wait_for()


def pipeline_letters(visitor: Visitor, place: Place) -> None:
    answer(visitor, "**/api/dead-letters?*", DEAD_LETTERS)
    visitor.go("pipeline")
    visitor.page.get_by_label(f"Dead letter {LETTER['id']}").check()
    visitor.page.evaluate("() => scrollTo(0, document.body.scrollHeight)")


def pipeline_letter(visitor: Visitor, place: Place) -> None:
    answer(visitor, "**/api/dead-letters?*", DEAD_LETTERS)
    answer(visitor, f"**/api/dead-letters/{LETTER['id']}", {"dead_letter": LETTER})
    visitor.go("pipeline")
    visitor.button(LETTER["reason"]).first.click()
    visitor.dialog().locator("pre").wait_for()


def pipeline_alerting(visitor: Visitor, place: Place) -> None:
    for pattern, body in ALERTING.items():
        answer(visitor, pattern, body)
    visitor.go("pipeline")
    visitor.page.get_by_role("alert").wait_for()


def pipeline_failed(visitor: Visitor, place: Place) -> None:
    for path in ("ledger", "pipeline", "dead-letters?*"):
        answer(visitor, f"**/api/{path}", BROKEN, 503)
    visitor.go("pipeline")
    visitor.button("Try again").nth(2).wait_for()


def reader_applications(visitor: Visitor, place: Place) -> None:
    as_reader(visitor, place)
    visitor.open("applications")
    visitor.page.get_by_role("meter").wait_for()


def reader_pipeline(visitor: Visitor, place: Place) -> None:
    as_reader(visitor, place)
    visitor.open("pipeline")
    visitor.page.get_by_text("answered 202").wait_for()


def as_reader(visitor: Visitor, place: Place) -> None:
    """For this scene the page believes that its key only reads."""
    session = {"application": place.application, "scopes": ["read"], "expires_at": "2099-01-01T00:00:00Z"}
    answer(visitor, "**/api/session", session)


def shortcuts(visitor: Visitor, place: Place) -> None:
    visitor.go(place.logs)
    visitor.rows().first.wait_for()
    visitor.page.keyboard.press("?")
    visitor.dialog().wait_for()


def no_such_page(visitor: Visitor, place: Place) -> None:
    visitor.go("nowhere")
    visitor.page.get_by_role("heading", name="There is no such page").wait_for()


SCENES: list[Scene] = [
    signin,
    signin_refused,
    logs,
    logs_columns,
    logs_open,
    logs_context,
    logs_sidebar,
    logs_times,
    logs_completion,
    logs_help,
    logs_mistake,
    logs_nothing_found,
    logs_none_yet,
    logs_failed,
    logs_live,
    logs_export,
    logs_searching,
    home,
    home_calm,
    home_failed,
    anomalies,
    anomalies_none,
    anomaly,
    alerts,
    alerts_none,
    alerts_failed,
    alerts_incident,
    alerts_rules,
    alerts_rule,
    alerts_rule_refused,
    alerts_channels,
    alerts_no_channels,
    alerts_silences,
    alerts_window,
    templates,
    templates_none_found,
    templates_overflowed,
    templates_failed,
    templates_versions,
    templates_no_versions,
    template,
    template_rename,
    template_merge,
    template_unknown,
    applications,
    applications_none_found,
    applications_new,
    application,
    application_new_key,
    application_revoke,
    application_unknown,
    pipeline,
    pipeline_letters,
    pipeline_letter,
    pipeline_alerting,
    pipeline_failed,
    reader_applications,
    reader_pipeline,
    shortcuts,
    no_such_page,
]


def show(scene: Scene, visitor: Visitor, place: Place) -> None:
    """Shows it to somebody who is signed in as an administrator; whatever was shown before is gone."""
    visitor.page.unroute_all(behavior="ignoreErrors")
    visitor.page.keyboard.press("Escape")
    if visitor.page.get_by_role("navigation", name="Pages").count() == 0:  # a scene signed out
        visitor.open("nowhere")
    visitor.go("nowhere")
    visitor.page.get_by_role("heading", name="There is no such page").wait_for()
    scene(visitor, place)
