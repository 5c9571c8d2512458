"""One sentence that a person understands, for each kind of anomaly."""

from collections.abc import Mapping, Sequence
from datetime import timedelta

from sluice.anomalies.changes import Change, ChangeKind
from sluice.anomalies.model import Kind
from sluice.anomalies.series import Episode
from sluice.anomalies.sessions import Reason, ReasonKind, SessionVerdict

_KINDS = {
    Kind.SPIKE: "a sudden spike",
    Kind.BURST: "more than usual for some time",
    Kind.RAMP: "ever more",
    Kind.SHIFT: "a new level that stays",
    Kind.DROP: "far fewer than usual",
    Kind.SILENCE: "silence",
}
_REASONS_TOLD = 3
_TEMPLATES_TOLD = 3


def explain_anomaly(
    lead: Episode, level: str | None, templates: Sequence[str], *, others: int = 0, version: str | None = None
) -> str:
    """What came, what was expected, since when, and what it is about. ``templates`` are texts, the lead's own first if
    it is about one template; ``others`` is how many more series changed with it. Times are in the lead's time zone."""
    began = f"; it began with version {version}" if version else ""
    if lead.kind is Kind.SESSION:
        return _share_of_sessions(lead, templates) + began
    subject, rest = f"{level or 'all'} logs", list(templates)
    if lead.series.template_id and templates:
        subject, rest = f"“{templates[0]}”" + (f" ({level})" if level else ""), rest[1:]
    span = _span(lead.window[1] - lead.window[0])
    since = f"since {lead.onset:%Y-%m-%d %H:%M}"
    if lead.kind is Kind.NEW_TEMPLATE:
        told = f"{subject} was never seen before: {_times(round(lead.observed))} {since}"
    elif lead.kind is Kind.RARE_TEMPLATE:
        told = f"{subject} is hardly ever seen, and came {_times(round(lead.observed))} {since}"
    else:
        facts = f"{_number(lead.observed)} in {span}, where about {_number(lead.expected)} were expected"
        told = f"{subject}: {facts}: {_KINDS[lead.kind]}, {since}"
    if rest:
        more = len(rest) - _TEMPLATES_TOLD
        texts = ", ".join(f"“{text}”" for text in rest[:_TEMPLATES_TOLD]) + (f" and {more} more" if more > 0 else "")
        told += f"; with {texts}" if lead.series.template_id else f"; mostly {texts}"
    elif others:
        told += f"; {others} more rate{'s' if others > 1 else ''} changed with it"
    return told + began


def explain_session(verdict: SessionVerdict, texts: Mapping[int, str]) -> str:
    """Its strongest reasons; ``texts`` are the templates'."""
    if not verdict.reasons:
        return "the session is as usual"
    told = [_reason(reason, texts) for reason in verdict.reasons[:_REASONS_TOLD]]
    more = len(verdict.reasons) - len(told)
    return "; ".join([*told, f"and {more} more"] if more else told)


def explain_change(change: Change, text: str, version: str) -> str:
    """What ``version`` changed."""
    match change.kind:
        case ChangeKind.ADDED:
            return f"“{text}” came {_times(change.after)} with {version}, and never before"
        case ChangeKind.GONE:
            return f"“{text}” no longer comes with {version}, where about {_number(change.expected)} were expected"
    facts = f"came {_times(change.after)} with {version}, where about {_number(change.expected)} were expected"
    return f"“{text}” {facts}"


def _reason(reason: Reason, texts: Mapping[int, str]) -> str:
    text = f"“{texts.get(reason.event, f'template {reason.event}')}”"
    match reason.kind:
        case ReasonKind.SELDOM if not reason.share:
            return f"it has {text}, which no session before had"
        case ReasonKind.SELDOM:
            return f"it has {text}, which only {_share(reason.share)} of sessions have"
        case ReasonKind.MISSING:
            return f"it lacks {text}, which {_share(1 - reason.share)} of sessions have"
    return f"it has {text} {_times(reason.observed)}, where nearly all have it {_times(reason.usual)}"


def _share_of_sessions(lead: Episode, templates: Sequence[str]) -> str:
    """``templates``: what is odd, and what such sessions begin with if that is another one."""
    texts = [f"“{text}”" for text in templates] or [f"template {lead.series.template_id}"]
    is_entry = lead.series.entry == lead.series.template_id
    begin = f" that begin with {texts[1]}" if not is_entry and len(texts) > 1 else ""
    usual = lead.expected / lead.total
    match lead.series.reason:
        case ReasonKind.SELDOM:
            said = f"have {texts[0]}, which {_share(usual)} of them had before"
        case ReasonKind.MISSING if is_entry:
            said = f"lack {texts[0]}, with which {_share(1 - usual)} of them began before"
        case ReasonKind.MISSING:
            said = f"lack {texts[0]}, which {_share(1 - usual)} of them had before"
        case _:
            said = f"have {texts[0]} another number of times than {_share(1 - usual)} of them had before"
    part = f"; one in {lead.one_in} sessions was looked at" if lead.one_in > 1 else ""
    return f"{lead.observed:,.0f} of {lead.total:,} sessions{begin} {said}, since {lead.onset:%Y-%m-%d %H:%M}{part}"


def _span(time: timedelta) -> str:
    minutes = round(time.total_seconds() / 60)
    if minutes < 1:
        return f"{time.total_seconds():.0f} seconds"
    if minutes < 120:
        return f"{minutes} minute{'s' if minutes > 1 else ''}"
    return f"{minutes / 60:.3g} hours"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value == round(value) or abs(value) >= 100 else f"{value:.2g}"


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count:,} times")


def _share(share: float) -> str:
    if share > 0.99:
        return "nearly all" if share > 0.9995 else f"{share:.1%}"
    return f"{share:.1%}" if share >= 0.001 else "less than 0.1%"
