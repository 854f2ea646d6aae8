"""One proxied request: the branches it was forwarded to and the responses that came (RFC 3261 §16.7, §16.8, §16.10).

A synchronous class fed by events; it owns no task and no timer of the loop.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ringback.message.message import Request, Response
from ringback.server.proxy.best_response import best_of
from ringback.server.proxy.branch import DONE, Branch
from ringback.server.proxy.course import Course
from ringback.server.proxy.destination import Destination
from ringback.server.proxy.routing import Decision, First, Forward, Redirect, Reject
from ringback.transaction.events import Event, TransactionTimedOut

if TYPE_CHECKING:
    from ringback.address import Flow
    from ringback.server.proxy.proxy import MayLead, Proxy
    from ringback.transaction.transaction import ServerTransaction


class ResponseContext:
    """Follows a decision and what it has for failures, forwards what §16.7 says at once, and chooses the best of the rest at the end."""

    __slots__ = (
        "_began",
        "_breadth",
        "_course",
        "_forwarding",
        "_is_moving",
        "_is_undecided",
        "_refusal",
        "_steps",
        "begins",
        "branches",
        "is_answered",
        "is_cancelled",
        "is_invite",
        "loop_hash",
        "may_lead",
        "proxy",
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
        """`breadth` is the incoming Max-Breadth, `begins` the dialog it may begin and we record-route: Call-ID, caller's tag, caller."""
        self.proxy = proxy
        self.transaction = transaction
        self.is_invite = is_invite
        self.loop_hash = loop_hash
        self.branches: list[Branch] = []
        self.is_answered = False
        self.is_cancelled = False
        self.may_lead: MayLead | None = None
        self.begins = begins
        self._breadth = breadth
        self._steps: list[list[Destination]] = []
        self._forwarding: Forward | None = None
        self._began = 0
        self._course: Course | None = None
        self._refusal: Reject | None = None
        self._is_undecided = False
        self._is_moving = False

    def receive(self, event: Event, now: float) -> None:
        """Takes what the server transaction tells. That it got no ACK or could not send ends no branch (§16.9)."""
        if isinstance(event, TransactionTimedOut) and not self.is_answered:
            # Whoever asked has given up (RFC 4320 §4.2): what still comes is for nobody.
            self._answered(now)

    # Where to.

    def follow(self, decision: Decision, request: Request, now: float) -> None:
        """Does what a decision says. A request that goes nowhere keeps no state (§8.2.7)."""
        while not isinstance(decision, Forward):
            if isinstance(decision, Redirect | Reject):
                self._answer(decision, request, now)
                return
            course = self._on_course()
            if course.is_too_long():
                self._answer(Reject(482), request, now)
                return
            if isinstance(decision, First):
                decision = course.enter(decision)
                continue
            course.otherwise(decision.else_)
            resolved = self.proxy.resolve(decision, request, lambda later, then: self.decided(later, request, then))
            if resolved is None:
                self._is_undecided = True
                self.proxy.keep(self, None, now)
                return
            following = self._unless_nobody(resolved)
            if following is None:
                self._nothing_follows(request, now)
                return
            decision = following
        if decision.else_ is not None:
            course = self._on_course()
            if course.is_too_long():
                self._answer(Reject(482), request, now)
                return
            course.otherwise(decision.else_)
        self.proxy.keep(self, request, now)
        self._start(decision, request, now)

    def decided(self, decision: Decision, request: Request, now: float) -> None:
        """Takes a decision, or what a value of one means, that took its time; nothing happens where the caller gave up meanwhile."""
        if self.is_answered:
            return
        self._is_undecided = False
        following = self._unless_nobody(decision) if self._course is not None else decision
        if following is None:
            self._nothing_follows(request, now)
        else:
            self.follow(following, request, now)
            # What it leads to may have been tried before, all of it.
            self._move_on(now)

    def _on_course(self) -> Course:
        if self._course is None:
            self._course = Course()
        return self._course

    def _unless_nobody(self, resolved: Decision) -> Decision | None:
        """What a location or gateway leads to, else what follows where it leads nowhere, else None."""
        if not isinstance(resolved, Reject):
            return resolved
        if self._refusal is None or resolved.status < self._refusal.status:
            self._refusal = resolved
        return self._on_course().after(resolved.status, found_nobody=True)

    def _nothing_follows(self, request: Request, now: float) -> None:
        if self.branches:
            self._answer_with_best(now)
        elif self._refusal is not None:
            self._answer(self._refusal, request, now)

    def _start(self, forward: Forward, request: Request, now: float) -> None:
        """Forwards to the targets of each step in turn, each step ringing for `ring_for` seconds where that is not None."""
        self._forwarding = forward
        self._began = len(self.branches)
        steps = forward.steps()
        self._steps = steps if len(steps) == len(steps[0]) == 1 and not self.branches else self._bounded(steps)
        if self._steps:
            self._start_step(request, now)

    def _bounded(self, steps: list[list[Destination]]) -> list[list[Destination]]:
        """Steps without what was tried before, and no more targets than a request may have: it must not become a flood."""
        tried = {branch.destination.uri for branch in self.branches}
        left = self.proxy.max_branches - len(self.branches)
        bounded = []
        for step in steps:
            fresh = [one for one in step if one.uri not in tried][: max(left, 0)]
            if fresh:
                bounded.append(fresh)
                left -= len(fresh)
        return bounded

    def pass_on(self, request: Request, may_lead: MayLead, now: float, flow: Flow | str | None = None) -> None:
        """Forwards to the Request-URI alone, as within a dialog: to such addresses only, or down a flow."""
        self.may_lead = may_lead
        branch = Branch(self, Destination(request.uri_text, flow=flow), self._breadth)
        self.branches.append(branch)
        branch.forward(request, now)

    def _start_step(self, request: Request, now: float) -> None:
        """Forwards to the next targets; more than Max-Breadth allows at once wait for a step of their own (RFC 5393 §5.3.3)."""
        step = self._steps.pop(0)
        self._fork(step, self._breadth, request, now)

    def _fork(self, step: list[Destination], breadth: int, request: Request, now: float) -> None:
        count = len(step)
        if count == 1:
            started = [Branch(self, step[0], breadth)]
        else:
            if count > breadth:
                self._steps.insert(0, step[breadth:])
                step = step[:breadth]
                count = breadth
            share, extra = divmod(breadth, count)
            started = [Branch(self, one, share + (index < extra)) for index, one in enumerate(step)]
        self.branches += started
        for branch in started:
            branch.forward(request, now)
        ring_for = None if self._forwarding is None else self._forwarding.ring_for
        if ring_for is not None and self.is_invite:
            for branch in started:
                self.proxy.timers.ring(branch, now + ring_for)

    # What comes back.

    def ended_here(self, branch: Branch, status: int, now: float) -> None:
        """Ends a branch as if its target had answered so."""
        if self.is_answered:
            self.proxy.timers.stop(branch)
            branch.final = DONE
        else:
            self._store(branch, self.proxy.own_response(self.transaction, status), now)

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
                    self._forward_upstream(response, now)
                # RFC 4320 §4.1: a provisional response but 100 may not go back for a non-INVITE request.
            return
        if status < 300:
            if self.success_received(response, now, branch):
                return
            self.ended_here(branch, 502, now)
            return
        if branch.goes_on(response, now):
            return
        if response.remove_top_via():
            self._store(branch, response, now)
        else:
            # §16.7 item 3: one with no other Via was not meant for anybody upstream, who waits for an answer all the same.
            self.ended_here(branch, 502, now)

    def success_received(self, response: Response, now: float, branch: Branch | None = None) -> bool:
        """Forwards a 2xx, every one to an INVITE, and ends the rest; False where it has no other Via, so nobody upstream to have it."""
        if (self.is_invite or not self.is_answered) and not self._forward_upstream(response, now):
            return False
        if branch is not None:
            branch.final = response
            if branch.destination.ended is not None:
                branch.destination.ended(response.status, now)
        self._answered(now)
        return True

    def _forward_upstream(self, response: Response, now: float) -> bool:
        transaction = self.transaction
        if transaction.flow.endpoint.is_reliable:
            # Where Content-Length says where a message ends, every line of the head has to be sound.
            response.headers  # noqa: B018 - parsed if only glanced at until now
        if not response.remove_top_via():
            return False
        self.proxy.respond(transaction, response, now)
        return True

    def _store(self, branch: Branch, response: Response, now: float) -> None:
        """§16.7 item 4: keeps a final response; the last one decides what happens next."""
        if branch.final is not None:
            return
        self.proxy.timers.stop(branch)
        if self.is_answered:
            branch.final = DONE
            return
        if branch.is_given_up and response.status == 487:
            # §16.8: a target whose time was up did not refuse: it counts as one that timed out.
            response = self.proxy.own_response(self.transaction, 408)
        branch.final = response
        if branch.destination.ended is not None:
            branch.destination.ended(response.status, now)
        if response.status >= 600:
            self._steps = []
            self._cancel_all(now)
        self._move_on(now)

    def _move_on(self, now: float) -> None:
        """Once all that was tried has ended: the next step, what the decision has for failures, or the answer."""
        if self._is_moving:
            # A branch that ended while it began: whoever began it looks again.
            return
        self._is_moving = True
        try:
            while not self.is_answered and not self._is_undecided and all(branch.final is not None for branch in self.branches):
                self._move(now)
        finally:
            self._is_moving = False

    def _move(self, now: float) -> None:
        if not self.is_cancelled:
            if self._steps:
                self._start_step(self.proxy.received_request(self.transaction), now)
                return
            if self._course is not None:
                decision = self._course.after(best_of(self._finals(self._began) or self._finals()).status)
                if decision is not None:
                    self.follow(decision, self.proxy.received_request(self.transaction), now)
                    return
        self._answer_with_best(now)

    # The answer.

    def _finals(self, began: int = 0) -> list[Response]:
        """The final responses to branches begun since."""
        return [branch.final for branch in self.branches[began:] if branch.final is not None and branch.final is not DONE]

    def _answer_with_best(self, now: float) -> None:
        responses = self._finals()
        if self._refusal is not None:
            responses.append(self.proxy.own_response(self.transaction, self._refusal.status, self._refusal.reason))
        best = best_of(responses)
        if best.status == 503:
            # §16.7 item 6: a 503 would say that this proxy itself serves nobody.
            best = self.proxy.own_response(self.transaction, 500, "All Targets Unavailable")
        elif best.status == 430 and any(branch.destination.route or branch.destination.flow for branch in self.branches):
            # RFC 5626 §11.5: a flow of ours is no affair of endpoints; to them the callee is away.
            best = self.proxy.own_response(self.transaction, 480)
        if best.status == 408 and not self.is_invite:
            # RFC 4320 §4.2: nobody upstream waits any more, and a 408 would start a storm.
            self.proxy.abandon(self.transaction)
        else:
            self.proxy.respond(self.transaction, best, now)
        self._answered(now)

    def _answer(self, decision: Redirect | Reject, request: Request, now: float) -> None:
        """Answers with what a decision says."""
        if self.transaction.user is not self:
            self.proxy.refuse(self.transaction, request, decision)
            return
        self.proxy.answer(self.transaction, request, decision, now, is_awaited=bool(self.branches))
        self._answered(now)

    def _answered(self, now: float) -> None:
        """A final response went upstream: what still rings is cancelled (§16.7 item 10), what is kept only for answering is dropped."""
        if not self.is_answered:
            self.is_answered = True
            self._steps = []
            self._course = self._forwarding = None
            self.begins = None
            self.may_lead = None
            self.proxy.answered(self)
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

    def cancel(self, now: float) -> None:
        """The caller gave up (§16.10): whatever rings is cancelled and no new branch begins; the 487s that come back decide the rest."""
        self.is_cancelled = True
        self._steps = []
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
