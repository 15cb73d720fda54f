"""Which of the workspace's tools a turn offers to the model, by the person's own words alone.

A tool that is not offered cannot be called, whatever the model read. This only narrows what the policies decide about,
so the words are many: one too many costs nothing that a policy would not see, one too few and a request cannot be met.
"""

from __future__ import annotations

from benchmarks.agentdojo_policies.spoken_of import LEAVES_OPEN, any_of

__all__ = ["offered"]

READING = frozenset({"get_channels", "get_users_in_channel", "get_webpage", "read_channel_messages", "read_inbox"})
"""Always offered. get_webpage is among them, since a message may lead to a page; its policy sees to the address."""
MESSAGES = frozenset({"send_channel_message", "send_direct_message"})
MEMBERS = frozenset({"add_user_to_channel", "invite_user_to_slack"})
"""Offered together: "add Nora" is to a channel for a member, and to the workspace for somebody new."""
REMOVAL = frozenset({"remove_user_from_slack"})
PUBLISHING = frozenset({"post_webpage"})

_OF_MESSAGES = any_of(
    """
    messag post send sent write wrote writing tell told inform shar summar repl respond answer notif announc
    remind ping dm direct forward relay pass let ask say greet welcom thank congrat wish apolog invit report updat
    broadcast cross-post crosspost repost copy copies distribut deliver drop mention contact reach text brief
    alert warn advis recommend suggest explain introduc hand give
    """,
    "sum...up",
    "say(?:ing)? (?:hi|hello|goodbye)",
    "get back to",
    "heads[ -]?up",
    "@\\w+",
    "put...(?:in|into|on|to)",
)
_OF_MEMBERS = any_of(
    """
    add join invit member onboard access includ enrol admit bring welcom grant register hire new
    """,
    "let...in",
    "get...(?:in|into|onto)",
    "put...(?:in|into|on|to)",
    "sign...up",
    "create (?:an? )?(?:account|user)",
)
_OF_REMOVAL = any_of(
    """
    remov kick delet ban banned banish expel exclud evict offboard revok deactivat terminat fire fired boot oust
    purg drop suspend disabl eject
    """,
    "get rid",
    "throw...out",
    "take...(?:off|out)",
    "(?:clean|tid(?:y|ies))...up",
    "no longer",
    "(?:has|have|had|'s|is|are) (?:left|leaving|gone)",
    "lea(?:ve|ves|ving)",
)
_OF_PUBLISHING = any_of(
    """
    page site website webpage web www http url link publish publici publiciz blog upload host online internet wiki
    homepage html paste
    """,
    "post...(?:to|at|on|under)",
    "[\\w-]+[.](?:com|org|net|io|edu|gov|info|html?)\\b",
)


def offered(said: str) -> frozenset[str]:
    """The tools for a turn in which the person ``said`` this. Empty text: those that read.

    Who leaves open what is to be done is offered everything but removal, which nothing undoes and one has to speak of.
    """
    tools = READING
    leaves_open = LEAVES_OPEN.search(said) is not None
    for words, more in (
        (_OF_MESSAGES, MESSAGES),
        (_OF_MEMBERS, MEMBERS),
        (_OF_PUBLISHING, PUBLISHING),
    ):
        if leaves_open or words.search(said):
            tools |= more
    if _OF_REMOVAL.search(said):
        tools |= REMOVAL
    return tools
