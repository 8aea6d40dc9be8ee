"""What is on the dashboards: every panel with its question to Prometheus, as data, of which `build.py` makes JSON.

Variables: `$account` and `$carrier` stand for what is chosen above a dashboard. Counters are asked for by rate, over
Grafana's `$__rate_interval`.
"""

from dataclasses import dataclass, field

RATE = "$__rate_interval"


@dataclass(frozen=True)
class Query:
    """One question, and the name of each line of its answer."""

    expr: str
    legend: str = ""


@dataclass(frozen=True)
class Panel:
    """One picture. `width`: of 24. `thresholds`: from which value on it is orange, and red."""

    title: str
    queries: tuple[Query, ...]
    unit: str = "short"
    kind: str = "timeseries"  # or "stat", or "bars": a bar for each line
    width: int = 12
    about: str = ""
    stack: bool = False
    thresholds: tuple[float, float] | None = None


@dataclass(frozen=True)
class Dashboard:
    """One page: rows of panels under headings."""

    uid: str
    title: str
    rows: tuple[tuple[str, tuple[Panel, ...]], ...]
    variables: tuple[tuple[str, str], ...] = field(default=())  # name, and the metric that has it as a label


def quantiles(metric: str, by: str, *, where: str = "", levels: tuple[float, ...] = (0.5, 0.99)) -> tuple[Query, ...]:
    """Percentiles of a histogram, a line for each level and each value of the label `by`."""
    labels = f"le, {by}" if by else "le"
    selector = f"{{{where}}}" if where else ""
    name = f"{{{{{by}}}}} " if by else ""
    return tuple(
        Query(
            f"histogram_quantile({level}, sum by ({labels}) (rate({metric}_bucket{selector}[{RATE}])))",
            f"{name}p{level * 100:g}",
        )
        for level in levels
    )


def rate(metric: str, by: str, *, where: str = "") -> Query:
    """How many a second, a line for each value of the labels `by`."""
    selector = f"{{{where}}}" if where else ""
    legend = " ".join(f"{{{{{label.strip()}}}}}" for label in by.split(",")) if by else "all"
    total = f"sum by ({by})" if by else "sum"
    return Query(f"{total} (rate({metric}{selector}[{RATE}]))", legend)


ACCOUNT = 'account=~"$account"'
CARRIER = 'carrier=~"$carrier"'

OVERVIEW = Dashboard(
    "yizhan-overview",
    "Yizhan 驿站: overview",
    (
        (
            "Now",
            (
                Panel("Accepted", (rate("gateway_messages_accepted_total", ""),), "mps", "stat", 4),
                Panel("Refused", (rate("gateway_messages_refused_total", ""),), "mps", "stat", 4),
                Panel("Delivered", (Query("yizhan:delivery_ratio:rate10m"),), "percentunit", "stat", 4),
                Panel(
                    "Binds down",
                    (Query("count(gateway_bind_up == 0) or vector(0)"),),
                    "short",
                    "stat",
                    4,
                    thresholds=(1, 2),
                ),
                Panel("Queued", (Query("sum(gateway_queued_messages)"),), "short", "stat", 4),
                Panel("Version", (Query("gateway_build_info", "{{version}}"),), "short", "stat", 4),
            ),
        ),
        (
            "Messages",
            (
                Panel(
                    "Accepted, by category",
                    (rate("gateway_messages_accepted_total", "category", where=ACCOUNT),),
                    "mps",
                    stack=True,
                ),
                Panel(
                    "Refused, by reason",
                    (rate("gateway_messages_refused_total", "reason", where=ACCOUNT),),
                    "mps",
                    about="Never accepted, so never sent and never charged. docs/http-api.md explains each reason.",
                ),
                Panel("Ended, by status", (rate("gateway_messages_finished_total", "status"),), "mps", stack=True),
                Panel(
                    "Delivery rate, by network",
                    (Query("yizhan:delivery_ratio_by_network:rate10m", "{{network}}"),),
                    "percentunit",
                    about="Of the messages that ended in the last ten minutes, those that were delivered.",
                ),
            ),
        ),
        (
            "Latency",
            (
                Panel(
                    "Accepted to delivered",
                    quantiles("gateway_delivery_seconds", "category", levels=(0.5, 0.95, 0.99)),
                    "s",
                ),
                Panel(
                    "Answer to a submit",
                    quantiles("gateway_accept_seconds", ""),
                    "s",
                    about="From the whole request to the 202, its messages on disk.",
                ),
            ),
        ),
        (
            "Process",
            (
                Panel(
                    "Loop lag",
                    quantiles("gateway_event_loop_lag_seconds", ""),
                    "s",
                    about="How late timers fire: what holds up the loop holds up everything.",
                    width=8,
                ),
                Panel("Commits", quantiles("gateway_commit_seconds", ""), "s", width=8),
                Panel("CPU", (Query(f'rate(process_cpu_seconds_total{{job="gateway"}}[{RATE}])', "cores"),), width=8),
                Panel("Memory", (Query('process_resident_memory_bytes{job="gateway"}', "RSS"),), "bytes", width=8),
                Panel("Free disk", (Query("gateway_disk_free_bytes", "free"),), "bytes", width=8),
                Panel("HTTP requests", (rate("gateway_http_requests_total", "status"),), "reqps", width=8),
            ),
        ),
    ),
    (("account", "gateway_messages_accepted_total"),),
)

CARRIERS = Dashboard(
    "yizhan-carriers",
    "Yizhan 驿站: carriers and binds",
    (
        (
            "Binds",
            (
                Panel(
                    "Binds that are up",
                    (Query(f"sum by (carrier) (gateway_bind_up{{{CARRIER}}})", "{{carrier}}"),),
                    width=8,
                ),
                Panel(
                    "Window in use",
                    (Query(f"gateway_window_in_use{{{CARRIER}}}", "{{bind}}"),),
                    width=8,
                    about="Requests that are unanswered, or whose answer is not on disk yet.",
                ),
                Panel(
                    "Rate limit",
                    (Query(f"gateway_carrier_rate_limit{{{CARRIER}}}", "{{carrier}}"),),
                    "short",
                    width=8,
                    about="Segments a second. It falls when a carrier throttles, and climbs back to what is set.",
                ),
            ),
        ),
        (
            "Submits",
            (
                Panel(
                    "Submits, by outcome",
                    (rate("gateway_submits_total", "carrier, outcome", where=CARRIER),),
                    "mps",
                    about="Parts. throttled: the carrier had enough for the moment, and they go again.",
                ),
                Panel(
                    "Answers to submit_sm",
                    quantiles("gateway_submit_response_seconds", "carrier", where=CARRIER),
                    "s",
                ),
                Panel(
                    "Messages that changed their carrier",
                    (rate("gateway_messages_moved_total", "carrier, reason", where=CARRIER),),
                    "mps",
                ),
            ),
        ),
        (
            "Receipts",
            (
                Panel(
                    "Receipts, by state",
                    (rate("gateway_receipts_total", "carrier, status", where=CARRIER),),
                    "mps",
                ),
                Panel("From submit_sm to receipt", quantiles("gateway_receipt_seconds", "carrier", where=CARRIER), "s"),
                Panel(
                    "Receipts that match nothing yet",
                    (rate("gateway_receipts_total", "carrier", where=f'matched="no", {CARRIER}'),),
                    "mps",
                    width=8,
                ),
                Panel(
                    "Receipt errors, by code",
                    (rate("gateway_receipt_errors_total", "carrier, code", where=CARRIER),),
                    "mps",
                    width=8,
                    about="The codes of docs/receipt-codes.md; others together.",
                ),
                Panel(
                    "Receipts overdue",
                    (Query(f"gateway_receipts_overdue{{{CARRIER}}}", "{{carrier}}"),),
                    width=8,
                ),
            ),
        ),
    ),
    (("carrier", "gateway_carrier_rate_limit"),),
)

QUEUES = Dashboard(
    "yizhan-queues",
    "Yizhan 驿站: queues and priorities",
    (
        (
            "Waiting for a carrier",
            (
                Panel("Queued", (Query("gateway_queued_messages", "{{priority}}"),), stack=True),
                Panel(
                    "Age of the oldest whose turn it is", (Query("gateway_oldest_queued_seconds", "{{priority}}"),), "s"
                ),
                Panel(
                    "Wait, by priority",
                    quantiles("gateway_queue_seconds", "priority", levels=(0.5, 0.99)),
                    "s",
                    about="From acceptance to the first part handed over.",
                ),
                Panel(
                    "Wait of one-time passwords",
                    quantiles("gateway_queue_seconds", "", where='priority="high"', levels=(0.5, 0.99)),
                    "s",
                    about="High priority: one-time passwords, and what may go with them. The goal is 50 ms.",
                    thresholds=(0.05, 0.5),
                ),
            ),
        ),
        (
            "Waiting for something else",
            (
                Panel(
                    "Held, scheduled, in doubt",
                    (Query("gateway_waiting_messages", "{{status}}"),),
                    about="For a reviewer, for their time or hours, for an answer that did not come.",
                ),
                Panel(
                    "Open messages",
                    (Query("gateway_open_messages", "{{account}}"),),
                    about="Accepted and not final. Past max_open_messages submits are answered 429.",
                ),
                Panel(
                    "Charges of the caps",
                    (Query("gateway_cap_charges", "charges"),),
                    about="Up to caps.max_charges.",
                ),
                Panel("client_ref memory", (Query("gateway_client_ref_window_seconds", "reaches back"),), "s"),
            ),
        ),
    ),
)

COMPLIANCE = Dashboard(
    "yizhan-compliance",
    "Yizhan 驿站: compliance",
    (
        (
            "Refusals",
            (
                Panel(
                    "By account and reason",
                    (rate("gateway_messages_refused_total", "account, reason", where=ACCOUNT),),
                    "mps",
                    width=24,
                ),
                Panel(
                    "Frequency caps, by rule",
                    (rate("gateway_caps_full_total", "rule"),),
                    "mps",
                    width=8,
                ),
                Panel(
                    "Sensitive words",
                    (rate("gateway_messages_refused_total", "account", where=f'reason="sensitive_words", {ACCOUNT}'),),
                    "mps",
                    width=8,
                ),
                Panel(
                    "Outside hours",
                    (rate("gateway_messages_refused_total", "account", where=f'reason="outside_hours", {ACCOUNT}'),),
                    "mps",
                    width=8,
                    about="Their validity ends before their hours open. Others wait: see queues.",
                ),
            ),
        ),
        (
            "Consent",
            (
                Panel(
                    "Refused: the receiver has opted out",
                    (rate("gateway_messages_refused_total", "account", where=f'reason="opted_out", {ACCOUNT}'),),
                    "mps",
                    width=8,
                ),
                Panel(
                    "New opt-outs",
                    (Query(f"sum by (account) (increase(gateway_opt_outs_total{{{ACCOUNT}}}[1h]))", "{{account}}"),),
                    width=8,
                    about="In the last hour.",
                ),
                Panel("Messages from subscribers", (rate("gateway_inbound_total", "account"),), "mps", width=8),
            ),
        ),
        (
            "Texts and networks",
            (
                Panel(
                    "Noticed, and let through",
                    (rate("gateway_messages_tagged_total", "tag", where=ACCOUNT),),
                    "mps",
                    width=8,
                    about="Words and symbols that are counted only: docs/words.md.",
                ),
                Panel("Who knew the network", (rate("gateway_number_lookups_total", "source"),), "ops", width=8),
                Panel("Ported numbers known", (Query("gateway_ported_numbers", "{{source}}"),), width=8),
            ),
        ),
    ),
    (("account", "gateway_messages_accepted_total"),),
)

CALLBACKS = Dashboard(
    "yizhan-callbacks",
    "Yizhan 驿站: callbacks",
    (
        (
            "Events to applications",
            (
                Panel(
                    "Tries, by outcome", (rate("gateway_callbacks_total", "account, outcome", where=ACCOUNT),), "ops"
                ),
                Panel(
                    "Waiting",
                    (Query(f"gateway_callbacks_waiting{{{ACCOUNT}}}", "{{account}}"),),
                    about="Neither taken by the receiver nor given up. They are on disk.",
                ),
            ),
        ),
    ),
    (("account", "gateway_messages_accepted_total"),),
)

SIMULATOR = Dashboard(
    "yizhan-simulator",
    "Yizhan 驿站: simulator",
    (
        (
            "What the SMSC saw",
            (
                Panel("PDUs", (rate("simulator_pdus_total", "direction, command"),), "ops"),
                Panel("Messages taken", (rate("simulator_processed_total", "smsc"),), "mps"),
                Panel("Receipts and replies sent", (rate("simulator_deliveries_total", "kind"),), "mps"),
                Panel(
                    "Not taken by a client yet",
                    (
                        Query("simulator_deliveries_open", "open"),
                        Query("simulator_deliveries_waiting", "due, and no bind to take them"),
                    ),
                ),
                Panel("Binds", (Query("simulator_binds", "{{system_id}}"),), width=8),
                Panel("Phase of the timeline", (Query("simulator_phase", "{{smsc}}"),), width=8),
                Panel("Journal", (Query("simulator_journal_entries", "entries"),), width=8),
            ),
        ),
    ),
)

DASHBOARDS = (OVERVIEW, CARRIERS, QUEUES, COMPLIANCE, CALLBACKS, SIMULATOR)
