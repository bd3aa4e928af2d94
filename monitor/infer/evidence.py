"""Signs of what a tool is, in its name, arguments, description and annotations: one table.

Patterns are those of `named_any`, as in the packs. A kind of tool has signs; each sign is strong or
weak. Nothing here clears a tool: a name that sounds like reading only keeps the *name* from being a
sign, and a `readOnlyHint` changes nothing, since the server itself wrote it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One sort of tool, its signs, and the lists of packs that it belongs to.

    `names`: patterns of its name. `read_names`: such that count also for a name that sounds like
    reading. `arguments`: groups of patterns; each group needs an argument. `words`: words of its
    description, and `hints`: annotations with their values; both are weak, `strong_hints` are not.
    """

    title: str
    lists: Sequence[tuple[str, str]]
    names: Sequence[str] = ()
    read_names: Sequence[str] = ()
    arguments: Sequence[Sequence[Sequence[str]]] = ()
    words: Sequence[str] = ()
    hints: Mapping[str, bool] = field(default_factory=dict)
    strong_hints: Mapping[str, bool] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ArgumentKind:
    """One sort of argument. `of`: the kinds of tools whose arguments it is looked for in; empty
    for every tool. `holds`: True if an address in it is a sign, too. `choices`: texts that are
    one.
    """

    title: str
    list_name: tuple[str, str]
    names: Sequence[str] = ()
    of: frozenset[str] = field(default_factory=frozenset)
    holds: bool = False
    choices: Sequence[str] = ()


def _pairs(verbs: Sequence[str], nouns: Sequence[str]) -> tuple[str, ...]:
    """Every verb before every noun, with anything between."""
    return tuple(f"**_{verb}_**{noun}**" for verb in verbs for noun in nouns)


def _either_way(verbs: Sequence[str], nouns: Sequence[str]) -> tuple[str, ...]:
    """Every verb before and after every noun: `delete_buckets`, `r2_bucket_delete`."""
    after = tuple(f"**_{noun}**_{verb}_**" for verb in verbs for noun in nouns)
    return _pairs(verbs, [f"_{noun}" for noun in nouns]) + after


READING: Final = tuple(
    f"**__{verb}_**"
    for verb in (
        *("get", "list", "search", "read", "view", "find", "query", "lookup", "check", "describe"),
        *("show", "fetch", "count", "browse", "is", "has", "compare", "calculate", "preview"),
    )
)
"""Names that sound like reading."""

_SHOW: Final = (
    *("get", "read", "list", "fetch", "retrieve", "show", "view", "reveal", "export", "dump"),
    *("access", "lookup", "decrypt", "search", "find"),
)
_WRITE: Final = ("create", "add", "write", "new", "make", "open", "save", "update", "compose")
_END: Final = (
    *("delete", "remove", "destroy", "terminate", "drop", "purge", "erase", "wipe", "truncate"),
    *("reset", "flush", "uninstall"),
)
_TO: Final = (
    *("to", "**_to", "to_**", "cc", "bcc", "**recipient**", "**receiver**", "**addressee**"),
    *("**payee**", "**beneficiary**", "**iban**", "**wallet**", "**participant**"),
    *("**attendee**", "**invitee**", "**collaborator**", "**assignee**", "**new_owner**"),
    *("**subscriber**", "**mailing_list**", "**distribution_list**", "**_email", "email"),
    *("emails", "**_emails", "**email_address**", "**phone_number**", "phone", "**_msisdn"),
    *("**webhook**", "**callback_url**", "**target_url**", "**destination_account**"),
    *("**ssh_key**", "**_payee_**", "**_mobile_number"),
)
_VAGUE_TO: Final = (
    *("channel", "channels", "channel_id", "channel_name", "chat", "chat_id", "room", "room_id"),
    *("conversation_id", "thread_id", "group", "group_id", "user", "users", "user_id", "username"),
    *("handle", "members", "guests", "audience", "url", "uri", "link", "endpoint", "address"),
    *("**account**", "destination", "dest", "target", "repository", "repo", "repo_name", "remote"),
    *("owner", "hotel", "restaurant", "company", "public_key", "person", "contact", "whom"),
    *("share_with", "with_user", "topic", "queue", "bucket", "host", "hostname", "domain"),
    *("**password**", "street"),
)
_TEXTS: Final = (
    *("**body**", "**content**", "**message**", "**text**", "**subject**", "**comment**"),
    *("**payload**", "**html**", "**attachment**", "**caption**", "data"),
)
_AMOUNTS: Final = ("amount", "**_amount", "amount_**", "amounts", "**_cents", "sum", "total_price")
_NETWORK: Final = (
    *("cluster", "instance", "volume", "stack", "namespace", "bucket", "environment", "server"),
    *("repository", "repo", "project", "deployment", "service", "dns", "zone", "droplet"),
    *("tenant", "subscription", "backup", "snapshot", "machine", "vm", "workspace"),
)

KINDS: Final[Mapping[str, Kind]] = {
    "sends": Kind(
        title="sends something out",
        lists=[("secrets", "sending_tools"), ("origins", "acting_tools")],
        names=[
            *("**_send_**", "**_sends_**", "**sendmail**", "**_post_**", "**_publish_**"),
            *("**_share_**", "**_forward_**", "**_reply_**", "**_respond_**", "**_notify_**"),
            *("**_invite_**", "**_broadcast_**", "**_upload_**", "**_push_**", "**_submit_**"),
            *("**_tweet_**", "**_transmit_**", "**_webhook_**", "**_input_to_**"),
            *("**__email_**", "**__message_**", "**__dm_**", "**__comment_**", "**__text_**"),
            *("**_sms", "**__sms_**", "**_fax_**", "**_announce_**", "**_export_to_**"),
            *_pairs(_WRITE, ("_issue_", "comment", "pull_request", "gist", "paste", "message")),
            *("**_git_issue_**", "**_fill_form_**", "**_syndicate_**"),
        ],
        arguments=[[_TO, _TEXTS]],
        words=["send", "sends", "publish", "post", "posts", "upload", "share", "invite", "email"],
        hints={"openWorldHint": True},
    ),
    "acts": Kind(
        title="changes what belongs to a person",
        lists=[("origins", "acting_tools")],
        names=[
            *(f"**_{verb}_**" for verb in ("create", "add", "update", "set", "change", "modify")),
            *("**_schedule_**", "**_reschedule_**", "**_reserve_**", "**_book_**", "**_grant_**"),
            *("**_transfer_**", "**_assign_**", "**_enroll_**", "**_subscribe_**", "**_link_**"),
            *("**_refund_**", "**_checkout_**", "**_purchase_**", "**_register_**"),
            *("**_cancel_**", "**_approve_**", "**_accept_**", "**_write_to_**"),
        ],
    ),
    "reads_secrets": Kind(
        title="hands out secrets",
        lists=[("secrets", "secret_tools")],
        names=["**vault**", "**keychain**", "**1password**", "**bitwarden**", "**keyring**"],
        read_names=[
            *_pairs(
                _SHOW,
                (
                    *("secret", "credential", "password", "api_key", "private_key", "_token_"),
                    *("_env_", "environment_variable", "connection_string", "access_key", "_otp_"),
                ),
            ),
            *("**vault**", "**keychain**", "**1password**", "**bitwarden**", "**keyring**"),
        ],
        arguments=[[["**secret_name**", "**secret_id**", "**secret_path**", "**vault**"]]],
        words=["secret", "secrets", "credential", "credentials", "password", "passwords", "token"],
    ),
    "reads_untrusted": Kind(
        title="reads what strangers write",
        lists=[],
        names=["**download**", "**_browse_**", "**_scrape_**", "**_crawl_**", "**_pull_**"],
        read_names=_pairs(
            (
                "get",
                "read",
                "list",
                "fetch",
                "search",
                "view",
                "find",
                "browse",
                "download",
                "open",
            ),
            (
                *("web", "page", "url", "mail", "inbox", "message", "comment", "issue", "review"),
                *("feed", "post", "thread", "pull_request", "article", "news", "calendar", "file"),
            ),
        ),
        arguments=[[["url", "urls", "**_url", "uri", "link", "href", "website"]]],
        words=["web", "website", "inbox", "internet", "url", "reviews", "emails"],
        hints={"openWorldHint": True},
    ),
    "irreversible": Kind(
        title="cannot be taken back",
        lists=[("approval", "irreversible_tools")],
        names=[
            *(f"**_{verb}_**" for verb in (*_END, "revoke", "cancel", "overwrite", "kill")),
            *("**_transfer_**", "**_payment_**", "**_pay_**", "**_purchase_**", "**_buy_**"),
            *("**_checkout_**", "**_refund_**", "**_send_money_**", "**_transaction_**"),
            *("**_deploy_**", "**_publish_**", "**_release_**", "**_merge_**", "**_grant_**"),
            *("**_wire_**", "**_withdraw_**", "**_donate_**", "**_sell_**", "**_trade_**"),
            *("**_place_order_**", "**_book_**", "**_reserve_**", "**_shutdown_**"),
            *("**_change_password_**", "**_update_**password**", "**_reset_password_**"),
            *("**_add_ssh_key_**", "**_rotate_**", "**_sign_**", "**_execute_trade_**"),
            *("**_clear_**", "**_empty_**"),
        ],
        words=["permanently", "irreversible", "irreversibly", "delete", "deletes", "removes"],
        hints={"readOnlyHint": False},
        strong_hints={"destructiveHint": True},
    ),
    "deletes": Kind(
        title="deletes or cancels",
        lists=[("origins", "deleting_tools")],
        names=[
            *(f"**_{verb}_**" for verb in _END if verb not in ("reset", "flush")),
            *("**_trash_**", "**_clear_**", "**_cancel_**", "**_revoke_**", "**_archive_**"),
            *("**_rm_**", "**_unlink_**", "**_discard_**", "**_expunge_**"),
        ],
        words=["delete", "deletes", "remove", "removes", "cancels"],
    ),
    "tears_down": Kind(
        title="takes down something of production",
        lists=[("production", "tearing_tools")],
        names=_either_way((*_END, "stop", "shutdown", "scale_down"), _NETWORK),
    ),
    "ruins_data": Kind(
        title="ruins a database",
        lists=[("production", "ruining_tools")],
        names=_pairs(
            _END, ("_database_", "_table_", "_schema_", "_collection_", "_db_", "_index_")
        ),
    ),
    "pays": Kind(
        title="pays",
        lists=[
            ("budgets", "paying_tools"),
            ("approval", "irreversible_tools"),
            ("origins", "acting_tools"),
        ],
        names=[
            *("**_pay_**", "**_payment_**", "**_payout_**", "**_send_money_**", "**_send_funds_**"),
            *("**_wire_**", "**_purchase_**", "**_buy_**", "**_checkout_**", "**_donate_**"),
            *("**_remit_**", "**_withdraw_**", "**_top_up_**", "**_charge_card_**"),
            *("**_schedule_transaction_**", "**_transfer_money_**", "**_transfer_funds_**"),
            *("**_place_order_**", "**_settle_invoice_**", "**_tip_**"),
        ],
        arguments=[[_TO, _AMOUNTS], [_AMOUNTS, ["currency", "**_currency"]]],
        words=["payment", "money", "pay", "pays", "purchase", "funds", "checkout"],
    ),
    "runs": Kind(
        title="runs commands",
        lists=[(pack, "shell_tools") for pack in ("shell", "secrets", "production", "work")],
        names=[
            *("**_bash_**", "**_shell_**", "**_terminal_**", "**_exec_**", "**_execute_**"),
            *("**_run_command_**", "**_run_cmd_**", "**_run_script_**", "**_console_**"),
            *("ssh", "**__ssh_exec**", "**__ssh_run**", "**_via_ssh_**", "**_subprocess_**"),
        ],
        words=["shell", "bash", "terminal"],
    ),
}

ARGUMENTS: Final[Mapping[str, ArgumentKind]] = {
    "destination": ArgumentKind(
        title="where it goes",
        list_name=("origins", "destination_arguments"),
        names=_TO,
    ),
    "vague_destination": ArgumentKind(
        title="where it goes, in a tool that acts",
        list_name=("origins", "vague_arguments"),
        names=_VAGUE_TO,
        of=frozenset({"sends", "acts", "pays"}),
        holds=True,
    ),
    "target": ArgumentKind(
        title="an environment that may be production",
        list_name=("production", "target_arguments"),
        names=["env", "**_env", "**environment**", "stage", "cluster", "**_cluster", "namespace"],
        choices=["**prod**", "**_prd**", "**_live_**"],
    ),
}

NO_DESTINATION: Final = ("**date**", "**time**")
"""Names that end in `_to` and are of times (`valid_to_date`)."""

UNCLASSIFYING: Final = frozenset({"reading_tools", "naming_tools", "known_tools", "polling_tools"})
"""Lists of the packs that say that something is looked at less: to be on one is not a sign."""

EXEMPTING: Final[Mapping[tuple[str, str], Sequence[str]]] = {
    ("secrets", "sending_tools"): ("reading_tools", "paying_tools"),
    ("secrets", "secret_tools"): ("naming_tools",),
    ("origins", "acting_tools"): ("reading_tools",),
    ("origins", "deleting_tools"): ("reading_tools",),
    ("approval", "irreversible_tools"): ("reading_tools",),
    ("production", "tearing_tools"): ("reading_tools",),
    ("production", "ruining_tools"): ("reading_tools",),
}
"""Lists of a pack that take a tool out of another list of it: an entry there has no effect."""
