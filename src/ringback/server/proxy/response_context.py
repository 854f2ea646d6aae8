"""One proxied request: the branches it was forwarded to and the responses that came (RFC 3261 §16.7, §16.8, §16.10).

A synchronous class fed by events; it owns no task and no timer of the loop.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ringback.message.errors import SipParseError
from ringback.message.message import Request, Response
from ringback.server.proxy.best_response import best_of
from ringback.server.proxy.branch import DONE, Branch, part
from ringback.server.proxy.course import Course
from ringback.server.proxy.destination import Destination
from ringback.server.proxy.early_dialogs import note_early
from ringback.server.proxy.reach import MayLead, anywhere
from ringback.server.proxy.routing import Decision, Redirect, Reject
from ringback.transaction.events import Event, TransactionTimedOut

if TYPE_CHECKING:
    from ringback.address import Flow
    from ringback.server.proxy.proxy import Proxy
    from ringback.server.proxy.trail import Trail
    from ringback.transaction.transaction import ServerTransaction


# Phones show no missed call where somebody else of the household has taken it (RFC 3326 §2).
_ELSEWHERE = ('SIP;cause=200;text="Call completed elsewhere"',)


def _reasons_of(request: Request) -> tuple[str, ...]:
    try:
        return tuple(request.headers.texts("Reason"))
    except SipParseError:
        return ()


class ResponseContext:
    """Follows a decision and what it has for failures, forwards what §16.7 says at once, and chooses the best of the rest at the end."""

    __slots__ = (
        "_course",
        "_is_moving",
        "begins",
        "branches",
        "cancels",
        "breadth",
        "is_answered",
        "is_cancelled",
        "is_invite",
        "is_told_ends",
        "loop_hash",
        "may_lead",
        "proxy",
        "reasons",
        "trail",
        "transaction",
    )

    def __init__(
        self,
        proxy: Proxy,
        transaction: ServerTransaction,
        *,
        is_invite: bool,
        breadth: int,
        begins: tuple[str, str, str] | None,
        loop_hash: str | None,
    ) -> None:
        """`breadth` is the incoming Max-Breadth, `begins` the dialog it may begin: Call-ID, caller's tag, caller."""
        self.proxy = proxy
        self.transaction = transaction
        self.is_invite = is_invite
        self.loop_hash = loop_hash
        self.branches: list[Branch] = []
        self.is_answered = False
        self.is_cancelled = False
        self.cancels = True
        """Whether a 2xx on one branch has the others cancelled (§16.7 item 10)."""
        self.is_told_ends = False
        """Whether the caller is told which early dialogs have ended (RFC 6228)."""
        self.reasons: tuple[str, ...] = ()
        """Why what rings is cancelled (RFC 3326)."""
        self.trail: Trail | None = None
        """What is told of the targets so far, where that is configured."""
        self.may_lead: MayLead | None = None
        """Which addresses what was found may be, None where it may be any."""
        self.begins = begins
        self.breadth = breadth
        self._course: Course | None = None
        self._is_moving = False

    def receive(self, event: Event, now: float) -> None:
        """Takes what the server transaction tells. That it got no ACK or could not send ends no branch (§16.9)."""
        if isinstance(event, TransactionTimedOut) and not self.is_answered:
            # Whoever asked has given up (RFC 4320 §4.2): what still comes is for nobody.
            self._answered(now)
        part(self.transaction)

    # Where to.

    def follow(self, decision: Decision, request: Request, now: float) -> None:
        """Does what a decision says, and what it has for failures."""
        self._course = course = Course(self, self.breadth)
        course.follow(decision, request, now)

    def decided(self, decision: Decision, request: Request, now: float) -> None:
        """The same for a decision that took its time; nothing happens where the caller gave up meanwhile."""
        if not self.is_answered:
            self._course = course = self._course or Course(self, self.breadth)
            course.decided(decision, request, now)

    def pass_on(self, request: Request, may_lead: MayLead, now: float, flow: Flow | str | None = None) -> None:
        """Forwards to the Request-URI alone, as within a dialog: to such addresses only, or down a flow."""
        self.may_lead = None if may_lead is anywhere else may_lead
        branch = Branch(self, Destination(request.uri_text, flow=flow), self.breadth)
        self.branches.append(branch)
        branch.forward(request, now)

    # What comes back.

    def ended_here(self, branch: Branch, status: int, now: float) -> None:
        """Ends a branch as if its target had answered so."""
        if self.is_answered:
            self._end(branch, DONE, now)
        else:
            if self.trail is not None:
                self.trail.heard(branch, status)
            self._store(branch, self.made_up(status), now)

    def made_up(self, status: int) -> Response:
        """What a target is taken to have answered that did not answer (§16.7, §16.9)."""
        return self.proxy.own_response(self.transaction, status, "Cannot Be Reached" if status == 503 else None)

    def response_received(self, branch: Branch, response: Response, now: float) -> None:
        """§16.7 items 2 to 6 for one response."""
        status = response.status
        if status < 200:
            branch.has_provisional = True
            if branch.is_cancelled:
                branch.send_cancel(now)
            if status > 100 and not self.is_answered:
                if self.is_invite:
                    if not branch.is_cancelled:
                        self.proxy.timers.start_timer_c(branch, now)
                    if self.is_told_ends:
                        note_early(branch, response)
                    if self.trail is not None:
                        self.trail.heard(branch, status)
                    self._forward_upstream(response, now)
                # RFC 4320 §4.1: a provisional response but 100 may not go back for a non-INVITE request.
            return
        if status < 300:
            if self.success_received(response, now, branch):
                return
            self.ended_here(branch, 502, now)
            return
        if branch.final is not None:
            return
        if self.trail is not None:
            self.trail.heard(branch, status, response)
        if branch.goes_on(response, now):
            self._tell_ends(branch, status, now)
        elif not response.remove_top_via():
            # §16.7 item 3: one with no other Via was not meant for anybody upstream, who waits for an answer all the same.
            self.ended_here(branch, 502, now)
        elif (status < 400 or status == 416) and self._course is not None and self._course.recurse(branch, response, now):
            self._end(branch, DONE, now)
            self._tell_ends(branch, status, now)
        else:
            self._store(branch, response, now)

    def _tell_ends(self, branch: Branch, status: int, now: float) -> None:
        """Tells the caller that the early dialogs of a branch are over, unless a final response tells it (RFC 6228 §6)."""
        if branch.early and not (self.is_answered or self.is_cancelled):
            for tag in branch.early:
                response = self.proxy.own_response(self.transaction, 199, tag=tag)
                response.headers.append("Reason", f"SIP;cause={status}")
                self.proxy.respond(self.transaction, response, now)
            branch.early = ()

    def success_received(self, response: Response, now: float, branch: Branch | None = None) -> bool:
        """Forwards a 2xx, every one to an INVITE, and ends the rest; False where it has no other Via, so nobody upstream to have it."""
        if self.trail is not None and branch is not None:
            self.trail.heard(branch, response.status)
        if (self.is_invite or not self.is_answered) and not self._forward_upstream(response, now):
            return False
        if branch is not None:
            branch.final = response
            if branch.target is not None:
                self.proxy.resolver.succeeded(branch.target)
            if branch.destination.ended is not None:
                branch.tell(response, now)
        self.reasons = _ELSEWHERE
        self._answered(now)
        return True

    def _forward_upstream(self, response: Response, now: float) -> bool:
        transaction = self.transaction
        if transaction.flow.endpoint.is_reliable:
            # Where Content-Length says where a message ends, every line of the head has to be sound.
            response.headers  # noqa: B018 - parsed if only glanced at until now
        if not response.remove_top_via():
            return False
        if self.trail is not None:
            self.trail.tell(response)
        self.proxy.respond(transaction, response, now)
        return True

    def _store(self, branch: Branch, response: Response, now: float) -> None:
        """§16.7 item 4: keeps a final response; the last one decides what happens next."""
        if branch.final is not None:
            return
        if branch.is_given_up and response.status == 487:
            # §16.8: a target whose time was up did not refuse: it counts as one that timed out.
            response = self.proxy.own_response(self.transaction, 408)
        if response.status >= 600 and not self.is_answered:
            if self._course is not None:
                self._course.begin_nothing_more()
            branch.final = response
            self.reasons = (f"SIP;cause={response.status}",)
            self._cancel_all(now)
        self._end(branch, response, now)
        self._tell_ends(branch, response.status, now)

    def _end(self, branch: Branch, response: Response, now: float) -> None:
        self.proxy.timers.stop(branch)
        if self.is_answered:
            branch.final = DONE
            if branch in self.branches:
                self.branches.remove(branch)
            return
        branch.final = response
        if branch.destination.ended is not None:
            branch.tell(response, now)
        self.move_on(now)

    def move_on(self, now: float) -> None:
        """Once all that was tried has ended: the next step, what the decision has for failures, or the answer."""
        if self._is_moving:
            # A branch that ended while it began: whoever began it looks again.
            return
        self._is_moving = True
        try:
            course = self._course
            while not self.is_answered and all(branch.final is not None for branch in self.branches):
                if course is not None:
                    if course.is_undecided:
                        return
                    if not self.is_cancelled and course.go_on(now):
                        continue
                self._answer_with_best(now)
        except Exception:
            # A fault of our own, which the stack reports, must not leave the caller waiting.
            if not self.is_answered:
                self._answer_with_best(now)
            raise
        finally:
            self._is_moving = False

    # The answer.

    def _finals(self, began: int = 0) -> list[Response]:
        """The final responses to branches from this one on."""
        return [branch.final for branch in self.branches[began:] if branch.final is not None and branch.final is not DONE]

    def best_status(self, began: int) -> int:
        """The status of the best response to branches from this one on, or to any."""
        responses = self._finals(began) or self._finals()
        return best_of(responses).status if responses else 480

    def _answer_with_best(self, now: float) -> None:
        responses = self._finals()
        refusal = None if self._course is None else self._course.refusal
        if refusal is not None:
            responses.append(self.proxy.own_response(self.transaction, refusal.status, refusal.reason))
        # Where redirections led in circles there is none at all.
        best = best_of(responses) if responses else self.proxy.own_response(self.transaction, 480)
        if best.status == 503:
            # §16.7 item 6: a 503 would say that this proxy itself serves nobody.
            is_lost = all(branch.found_nothing for branch in self.branches)
            best = self.proxy.own_response(self.transaction, 500, "No Server Found" if is_lost else "All Targets Unavailable")
        elif best.status == 430 and any(branch.destination.route or branch.destination.flow for branch in self.branches):
            # RFC 5626 §11.5: a flow of ours is no affair of endpoints; to them the callee is away.
            best = self.proxy.own_response(self.transaction, 480)
        if self.trail is not None:
            self.trail.tell(best)
        if best.status == 408 and not self.is_invite:
            # RFC 4320 §4.2: nobody upstream waits any more, and a 408 would start a storm.
            self.proxy.abandon(self.transaction)
        else:
            self.proxy.respond(self.transaction, best, now)
        self._answered(now)

    def answer(self, decision: Redirect | Reject, request: Request, now: float) -> None:
        """Answers with what a decision says."""
        if self.transaction.user is self:
            self.proxy.answer(self.transaction, request, decision, now, is_awaited=bool(self.branches))
            self._answered(now)
        else:
            self._course = None
            self.proxy.refuse(self.transaction, request, decision)

    def answer_refused(self, request: Request, now: float) -> None:
        """Answers where nothing follows a location or gateway that led nowhere."""
        refusal = None if self._course is None else self._course.refusal
        if self.branches or refusal is None:
            self._answer_with_best(now)
        else:
            self.answer(refusal, request, now)

    def _answered(self, now: float) -> None:
        """A final response went upstream: what still rings is cancelled (§16.7 item 10), what is kept only for answering is dropped."""
        if not self.is_answered:
            self.is_answered = True
            self._course = None
            self.begins = None
            self.may_lead = None
            self.proxy.answered(self)
        if self.cancels:
            self._cancel_all(now)
        ringing = []
        for branch in self.branches:
            if branch.final is not None:
                self.proxy.timers.stop(branch)
                branch.final = DONE
            else:
                ringing.append(branch)
        # An ended branch knows its context, for late 2xx; were it known in turn, only the collector could free the two.
        self.branches = ringing

    def cancel(self, request: Request, now: float) -> None:
        """The caller gave up (§16.10): whatever rings is cancelled and no new branch begins; the 487s that come back decide the rest."""
        self.is_cancelled = True
        if "reason" in request.headers.keys and not self.is_answered:
            self.reasons = _reasons_of(request)
        if not self.is_answered and all(branch.final is not None for branch in self.branches):
            self.proxy.respond(self.transaction, self.proxy.own_response(self.transaction, 487), now)
            self._answered(now)
        self._cancel_all(now)

    def time_is_up(self, branch: Branch, now: float) -> None:
        """Timer C or `ring_for` (§16.8): a target that rings is cancelled, one that never said a word counts as timed out."""
        if branch.final is not None or branch.is_cancelled:
            return
        branch.is_given_up = True
        branch.cancel(now)
        if not branch.has_provisional:
            self.ended_here(branch, 408, now)

    def _cancel_all(self, now: float) -> None:
        if not self.is_invite:
            return
        for branch in self.branches:
            if branch.final is None and not branch.is_cancelled:
                branch.cancel(now)
