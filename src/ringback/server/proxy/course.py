"""Where one request has been sent and where it may still go: steps, `else_`, `first`, 3xx (RFC 3261 §16.5, §16.6, §16.7 item 4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ringback.message.errors import SipParseError
from ringback.message.message import Request, Response
from ringback.message.uri import parse_uri
from ringback.server.proxy.branch import Branch
from ringback.server.proxy.destination import Destination, Uri
from ringback.server.proxy.early_dialogs import wants_199
from ringback.server.proxy.preferences import EXPLICIT, Disposition, Preferences, has_implied, redirection
from ringback.server.proxy.recursion import as_sip, take_contacts
from ringback.server.proxy.routing import Decision, Else, First, Forward, Redirect, Reject, following, reached_nobody
from ringback.server.proxy.trail import diverted_by, reason_of

if TYPE_CHECKING:
    from ringback.server.proxy.response_context import ResponseContext

MOST_DECISIONS = 20
"""How many decisions one request may pass through. A choice, twice the forwarding hops that switches allow; a loop of them ends so."""


# The fields with which a caller says what he prefers (RFC 3841).
_WISHES = EXPLICIT | {"request-disposition"}


class _Rest:
    """What `first` has left."""

    __slots__ = ("decisions",)

    def __init__(self, decisions: tuple[Decision, ...]) -> None:
        self.decisions = decisions


class Course:
    """What a response context has still to try. It begins branches; the context says when one has ended."""

    __slots__ = (
        "_because",
        "_began",
        "_breadth",
        "_context",
        "_count",
        "_otherwise",
        "_recurses",
        "_ring_for",
        "_steps",
        "is_undecided",
        "refusal",
    )

    def __init__(self, context: ResponseContext, breadth: int) -> None:
        """`breadth` is the incoming Max-Breadth (RFC 5393 §5.3.3)."""
        self.is_undecided = False
        """Whether a decision takes its time."""
        self.refusal: Reject | None = None
        """What a location or gateway said that led nowhere."""
        self._context = context
        self._breadth = breadth
        self._count = 0
        # Tuples: most contexts have nothing left to try, and an empty one takes no room.
        self._otherwise: tuple[_Rest | Else, ...] = ()
        self._recurses = False
        self._ring_for: float | None = None
        self._steps: tuple[list[Destination], ...] = ()
        self._began = 0
        self._because: str | None = None

    # Decisions.

    def follow(self, decision: Decision, request: Request, now: float) -> None:
        """Does what a decision says. A request that goes nowhere keeps no state (§8.2.7)."""
        context = self._context
        while not isinstance(decision, Forward):
            if isinstance(decision, Redirect | Reject):
                context.answer(decision, request, now)
                return
            if self._is_too_long():
                context.answer(Reject(482), request, now)
                return
            if isinstance(decision, First):
                if len(decision.decisions) > 1:
                    self._otherwise += (_Rest(decision.decisions[1:]),)
                decision = decision.decisions[0]
                continue
            if decision.else_ is not None:
                self._otherwise += (decision.else_,)
            resolved = context.proxy.reach.resolve(decision, request, lambda later, then: self.decided(later, request, then))
            if resolved is None:
                self.is_undecided = True
                context.proxy.keep(context, None, now)
                return
            onward = self._unless_nobody(resolved)
            if onward is None:
                context.answer_refused(request, now)
                return
            decision = onward
        if decision.else_ is not None:
            if self._is_too_long():
                context.answer(Reject(482), request, now)
                return
            self._otherwise += (decision.else_,)
        self._start(decision, request, now)

    def decided(self, decision: Decision, request: Request, now: float) -> None:
        """Takes a decision, or what a value of one means, that took its time; nothing happens where the caller gave up meanwhile."""
        context = self._context
        if context.is_answered:
            return
        onward = self._unless_nobody(decision) if self.is_undecided else decision
        self.is_undecided = False
        if onward is None:
            context.answer_refused(request, now)
        else:
            self.follow(onward, request, now)
            # What it leads to may have been tried before, all of it.
            context.move_on(now)

    def _is_too_long(self) -> bool:
        self._count += 1
        return self._count > MOST_DECISIONS

    def _unless_nobody(self, resolved: Decision) -> Decision | None:
        """What a location or gateway leads to, else what follows where it leads nowhere, else None."""
        if not isinstance(resolved, Reject):
            return resolved
        if self.refusal is None or resolved.status < self.refusal.status:
            self.refusal = resolved
        return self._after(resolved.status, found_nobody=True)

    def _after(self, status: int, *, found_nobody: bool = False) -> Decision | None:
        """What follows a failure with this final status; None where nothing does. `found_nobody`: there was nowhere to send it."""
        while self._otherwise:
            waiting = self._otherwise[-1]
            self._otherwise = self._otherwise[:-1]
            if not isinstance(waiting, _Rest):
                decision = following(waiting, status, found_nobody=found_nobody)
                if decision is not None:
                    self._because = reason_of(status, found_nobody=found_nobody)
                    return decision
            elif found_nobody or reached_nobody(status):
                if len(waiting.decisions) > 1:
                    self._otherwise += (_Rest(waiting.decisions[1:]),)
                return waiting.decisions[0]
        return None

    # Steps.

    def _start(self, forward: Forward, request: Request, now: float) -> None:
        """Forwards to the targets of each step in turn, each step ringing for `ring_for` seconds where that is not None."""
        context = self._context
        self._ring_for = forward.ring_for
        self._recurses = context.proxy.recurses if forward.recurse is None else forward.recurse
        self._began = len(context.branches)
        if len(forward.targets) == 1 and _WISHES.isdisjoint(request.headers.keys):
            steps = forward.steps()
        else:
            preferred = self._preferred(forward, request)
            if preferred is None:
                context.answer_refused(request, now)
                return
            if not isinstance(preferred, list):
                self.follow(preferred, request, now)
                return
            steps = preferred
        is_one = len(steps) == len(steps[0]) == 1
        if not is_one or steps[0][0].is_named:
            steps = context.proxy.reach.at_home(steps, request)
        if not steps:
            onward = self._unless_nobody(Reject(404))
            if onward is None:
                context.answer_refused(request, now)
            else:
                self.follow(onward, request, now)
            return
        self._steps = tuple(self._bounded(steps) if context.branches or len(steps) > 1 or len(steps[0]) > 1 else steps)
        context.proxy.keep(context, request, now)
        if context.is_invite and context.proxy.tells_ended:
            context.is_told_ends = wants_199(request)
        if self._steps:
            if context.proxy.tells_trail and request.to_tag is None:
                self._lead_on(forward, request)
            self._fork(self._take_step(), self._breadth, request, now)

    def _lead_on(self, forward: Forward, request: Request) -> None:
        """Remembers what the next targets and the caller are told of the way so far (RFC 7044, RFC 5806)."""
        context = self._context
        if context.trail is None:
            context.trail = context.proxy.trail_of(request)
        context.trail.divert([one for step in self._steps for one in step], forward.diverted, self._because)
        self._because = None

    def _preferred(self, forward: Forward, request: Request) -> list[list[Destination]] | Decision | None:
        """The steps of a decision as the caller prefers them; where none is left what follows instead, if anything does (RFC 3841 §7)."""
        context = self._context
        headers = request.headers
        targets = forward.targets
        try:
            if EXPLICIT.isdisjoint(headers.keys) and not has_implied(targets):
                steps = forward.steps()
            else:
                steps = Preferences(request).steps(targets, one_by_one=forward.one_by_one)
            if "request-disposition" in headers.keys and context.proxy.reach.owns(request):
                disposition = Disposition.of(request)
                if steps and disposition.redirects and context.proxy.redirects_on_request:
                    return redirection(steps)
                steps = disposition.steps(steps)
                context.cancels = disposition.cancels
                if disposition.recurses is not None and forward.recurse is None:
                    self._recurses = disposition.recurses
        except SipParseError as error:
            return Reject(400, f"Malformed {error}")
        # RFC 3841 §7.2.4: whoever asks for what nobody has learns no more than that.
        return steps or self._unless_nobody(Reject(480))

    def _bounded(self, steps: list[list[Destination]]) -> list[list[Destination]]:
        """Steps without what was tried before, and no more targets than a request may have: it must not become a flood."""
        branches = self._context.branches
        tried = {branch.destination.uri for branch in branches}
        left = self._context.proxy.max_branches - len(branches)
        bounded = []
        for step in steps:
            fresh = [one for one in step if one.uri not in tried][: max(left, 0)]
            if fresh:
                bounded.append(fresh)
                left -= len(fresh)
        return bounded

    def _fork(self, step: list[Destination], breadth: int, request: Request, now: float) -> None:
        """Forwards to several targets; more than Max-Breadth allows at once wait for a step of their own (RFC 5393 §5.3.3)."""
        context = self._context
        count = len(step)
        if count == 1:
            started = [Branch(context, step[0], breadth)]
        else:
            if count > breadth:
                self._steps = (step[breadth:], *self._steps)
                step = step[:breadth]
                count = breadth
            share, extra = divmod(breadth, count)
            started = [Branch(context, one, share + (index < extra)) for index, one in enumerate(step)]
        context.branches += started
        for branch in started:
            branch.forward(request, now)
        ring_for = self._ring_for
        if ring_for is None and self._steps:
            ring_for = context.proxy.ring_for
        if ring_for is not None and context.is_invite:
            for branch in started:
                context.proxy.timers.ring(branch, now + ring_for)

    def _take_step(self) -> list[Destination]:
        step = self._steps[0]
        self._steps = self._steps[1:]
        return step

    def begin_nothing_more(self) -> None:
        """No other step is begun; what a decision has for failures may still follow."""
        self._steps = ()

    def go_on(self, now: float) -> bool:
        """Begins what comes next after all that was tried has failed; False where nothing does."""
        context = self._context
        if self._steps:
            self._fork(self._take_step(), self._breadth, context.proxy.received_request(context.transaction), now)
            return True
        if not self._otherwise:
            return False
        decision = self._after(context.best_status(self._began))
        if decision is None:
            return False
        self.follow(decision, context.proxy.received_request(context.transaction), now)
        return True

    # Redirections.

    def recurse(self, branch: Branch, response: Response, now: float) -> bool:
        """Follows what it may of the contacts of a 3xx, or the sip twin of a URI that a 416 refused; True where that says it all.

        What is not followed stays in the response.
        """
        context = self._context
        if branch.is_cancelled or context.is_answered:
            return False
        if response.status == 416:
            other = as_sip(branch.destination, context.transaction.request.uri_text)
            if other is None or self._was_tried(parse_uri(other.uri)):
                return False
            groups = [[other]]
        else:
            found = take_contacts(response, self._fresh) if self._recurses else None
            if found is None:
                return False
            groups = found
        if groups:
            if context.trail is not None and response.status != 416:
                context.trail.divert([one for group in groups for one in group], diverted_by(response), reason_of(response.status))
            self._steps = (*groups[1:], *self._steps)
            self._fork(groups[0], branch.breadth, context.proxy.received_request(context.transaction), now)
        return response.status == 416 or "contact" not in response.headers.keys

    def _fresh(self, uri: Uri) -> list[Destination] | None:
        """Where a contact of a 3xx leads, without what was tried before; None where it may not be followed from here."""
        if self._was_tried(uri):
            return []
        context = self._context
        found = context.proxy.reach.destinations_of(uri, context.transaction.request)
        if found is None:
            return None
        left = context.proxy.max_branches - len(context.branches) - sum(map(len, self._steps))
        fresh = []
        for one in found:
            try:
                if not self._was_tried(parse_uri(one.uri)):
                    fresh.append(one)
            except SipParseError:
                continue
        return fresh[:left] if left > 0 else None

    def _was_tried(self, uri: Uri) -> bool:
        """Whether a URI is, or was, one of the targets: each is tried once (§16.5)."""
        context = self._context
        waiting = [one for step in self._steps for one in step]
        for one in [branch.destination for branch in context.branches] + waiting:
            try:
                if uri.matches(parse_uri(one.uri)):
                    return True
            except SipParseError:
                continue
        return False
