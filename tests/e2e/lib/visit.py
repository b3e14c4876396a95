"""What a random session does: commands whose answers are known, and streams that nobody should send."""

import base64
import re
import time

from .imap import astring
from .marked import Box, bodies, message
from .nasty import LITERALS, NO_LITERALS
from .visitor import Command, Over, Visitor, Wrong

OTHERS = "UNAUTHENTICATE", "STARTTLS", "LOGIN other secret"


def b64(text):
    return base64.b64encode(text.encode()) + b"\r\n"


class Visit(Visitor):
    """run_all() is the whole session; it raises Over or Wrong, or returns after LOGOUT."""

    def __init__(self, world, number):
        super().__init__(world, number)
        self.at = self.needs = None  # selected, if what was generated so far is answered OK
        self.at_examine = False
        self.has_enabling = False  # one in a batch is enough to keep track of
        self.appended = 0
        self.made = set()
        self.flowing = {}  # uid to key of messages in flow that this session alone removes
        self.prefix = world.mail.prefixes[self.user]
        self.nowhere = Box(self.user, f"no-such-{self.nonce.decode()}", True, self.prefix)

    def go(self):
        self.sign_in()
        for _ in range(self.chance.randint(1, self.world.steps)):
            step = self.chance.choices((self.ask_some, self.append, self.flow, self.idle, self.hold,
                                        self.make_a_mailbox, self.be_hostile),
                                       (40, 8, 7, 5, self.world.holding, 1.5, 4))[0]
            step()
            if self.is_wild:
                break
        if self.chance.random() < 0.45:
            self.leave()
        self.logout()

    # the beginning and the end

    def sign_in(self):
        user, password = self.user.encode(), self.world.passwords[self.user]
        if self.chance.random() < 0.03:
            self.run(Command(b"LOGIN " + user + b" wrong-" + self.nonce, status=("NO",)))
        form = self.chance.choice(["atom", "quoted", "literal", "nonsync", "pipeline", "initial", "plain", "login"])
        plain = f"\0{self.user}\0{password}"
        if form == "atom":
            one = Command(b"LOGIN %s %s" % (user, password.encode()))
            self.run(one)
        elif form == "quoted":
            one = Command(b'login "%s" %s' % (user, astring(password)))
            self.run(one)
        elif form == "literal":
            one = Command(b"LOGIN {%d}" % len(user))
            self.dialogue(one, user + b" {%d}\r\n" % len(password), password.encode() + b"\r\n")
        elif form == "nonsync":
            one = Command(b"LOGIN {%d+}\r\n%s {%d+}\r\n%s" % (len(user), user, len(password), password.encode()))
            self.run(one)
        elif form == "pipeline":
            one = Command(b"LOGIN %s %s" % (user, password.encode()))
            self.at, self.needs = None, one
            self.run(one, *self.some(self.chance.randint(1, 4)))
        elif form == "initial":
            one = Command(b"AUTHENTICATE PLAIN " + b64(plain)[:-2])
            self.run(one)
        elif form == "plain":
            one = Command(b"AUTHENTICATE PLAIN")
            self.dialogue(one, b64(plain))
        else:
            one = Command(b"AUTHENTICATE LOGIN")
            self.dialogue(one, b64(self.user), b64(password))
        if one.answer != "OK":
            self.client.close()
            raise Over("refused")
        self.world.note("signed in")

    def logout(self):
        self.is_leaving = True
        commands = [Command("LOGOUT", attaches=False)]
        if not self.is_wild and self.chance.random() < 0.3:
            self.at, self.needs = self.box, None
            commands = self.some(2) + commands
        lines = self.run(*commands)
        self.need(self.is_wild or any(line.startswith(b"* BYE") for line in lines), "no BYE", lines)
        left = self.client.rest()
        if left:
            raise Wrong(f"behind the answer to LOGOUT: {left!r}")
        self.client.close()

    # commands that can be sent many at a time

    def ask_some(self):
        self.at, self.at_examine, self.needs = self.box, self.read_only, None
        self.run(*self.some(self.chance.choice([1, 1, 1, 2, 3, 5])))

    def some(self, count):
        self.has_enabling = False
        return [self.one() for _ in range(count)]

    def one(self):
        if self.at is None:
            asks, weights = zip(*((self.select, 30), (self.status, 14), (self.list, 6), (self.local, 8),
                                  (self.enable, 7), (self.lost, 3), (self.odd, 2), (self.examine, 8)))
        else:
            asks, weights = zip(*((self.fetch, 30), (self.search, 12), (self.store, 10), (self.local, 5),
                                  (self.status, 5), (self.list, 3), (self.select, 7), (self.deselect, 7),
                                  (self.enable, 1), (self.odd, 1), (self.expunge, 2)))
        command = self.chance.choices(asks, weights)[0]()
        if command.enables and self.has_enabling:
            command = self.local()
        self.has_enabling |= bool(command.enables)
        if command.needs is None and command is not self.needs:
            command.needs = self.needs
        return command

    def examine(self):
        return self.select("EXAMINE")

    def select(self, verb=None):
        if self.needs is not None and (self.needs.selects or self.needs.deselects):
            return self.local()  # one at a time
        verb = verb or self.chance.choice(["SELECT", "SELECT", "SELECT", "EXAMINE"])
        if self.chance.random() < 0.04:
            command = Command(f"{verb} {self.nowhere.name}", status=("NO",))
            command.selects, command.needs = self.nowhere, self.needs
            self.at, self.needs = None, command
            return command
        box = self.boxes[self.chance.choice(["INBOX", "alpha", "alpha", "keep", "flow", "flow", "copies"])]
        option, draw = "", self.chance.random()
        if draw < 0.05 and not self.has_enabling:
            option = " (CONDSTORE)"
        elif draw < 0.3 and self.qresync is True and self.needs is None:
            option = f" (QRESYNC ({box.uidvalidity} 1))"
        command = Command(f"{verb} {box.name}{option}", self.check_select)
        command.selects, command.is_examine, command.needs = box, verb == "EXAMINE", self.needs
        if option == " (CONDSTORE)":
            command.enables = "CONDSTORE"
        self.at, self.at_examine, self.needs = box, command.is_examine, command
        return command

    def check_select(self, lines, one):
        box = one.selects
        code = rb"[READ-ONLY]" if one.is_examine else rb"[READ-WRITE]"
        self.need(code in one.reply, code, [one.reply])
        self.need(any(b"[UIDVALIDITY %d]" % box.uidvalidity in line for line in lines), box.uidvalidity, lines)
        if box.is_static:
            self.need(any(b"[UIDNEXT %d]" % (box.count() + 1) in line for line in lines), "UIDNEXT", lines)
        self.use(one)

    def use(self, one):
        """CONDSTORE was used, which enables it, or did so at this server in this way."""
        if one.enables == "CONDSTORE":
            is_sure = self.world.uses_condstore_always or one.selects
            self.condstore = self.condstore or (True if is_sure else None)

    def deselect(self):
        if self.needs is not None and (self.needs.selects or self.needs.deselects):
            return self.local()
        is_kept = self.at.key == "keep" and not self.at_examine
        command = Command("UNSELECT" if is_kept or self.chance.random() < 0.6 else "CLOSE")
        command.deselects, command.needs = True, self.needs
        self.at, self.needs = None, command
        return command

    def fetch(self):
        box = self.at
        status = ("OK",) if box.is_static else ("OK", "NO")
        draw = self.chance.random()
        if draw < 0.06 and (box.key == "flow" or box.is_static):
            command = Command("FETCH 1 (UID MODSEQ)", lambda lines, one: self.use(one), status)
            command.enables = "CONDSTORE"
            return command
        if not box.is_static:
            if box.key == "flow" and draw < 0.5:
                return Command("FETCH 1 (UID BODY.PEEK[])", self.has_body(box, 1))
            items = self.chance.choice(["BODY.PEEK[]", "FLAGS", "(UID FLAGS BODY.PEEK[HEADER.FIELDS (X-MARK)])"])
            return Command(f"UID FETCH {self.chance.choice(['*', '1:*'])} {items}", status=status)
        number = self.chance.randint(1, box.count())
        if draw < 0.6:
            form = self.chance.choice(["FETCH %d (UID BODY.PEEK[])", "UID FETCH %d BODY.PEEK[]",
                                       "FETCH %d (BODY.PEEK[] UID FLAGS)"])
            return Command(form % number, self.has_body(box, number))
        if draw < 0.8:
            return Command("FETCH 1:* (UID FLAGS)", self.has_all(box))
        return Command(f"UID FETCH {number} (ENVELOPE BODY.PEEK[HEADER.FIELDS (SUBJECT)])",
                       self.says(b"mark<%s/%s/" % (self.user.encode(), box.key.encode())))

    def has_body(self, box, uid):
        def check(lines, one):
            found = [data for found, data in bodies(lines) if found == uid]
            self.need(box.data[f"{box.key}-i{uid}"] in found, f"no message {uid} of {box.name}", lines)
        return check

    def has_all(self, box):
        def check(lines, one):
            found = {int(number[1]) for line in lines if (number := re.match(rb"\* (\d+) FETCH .*UID", line))}
            every = set(range(1, box.count() + 1))
            self.need(found == every or (found > every and len(self.batch) > 1), f"{box.count()} messages", lines)
        return check

    def says(self, text):
        def check(lines, one):
            self.need(any(text in line for line in lines), text, lines)
        return check

    def search(self):
        box, draw = self.at, self.chance.random()
        other = self.chance.choice([user for user in self.world.users if user != self.user])
        own, foreign = f"mark<{self.user}/", f"mark<{other}/"
        if draw < 0.2:
            return Command(f'SEARCH SUBJECT "{foreign}"', self.found(()), asks=["SEARCH"])
        if draw < 0.25:
            command = Command("SEARCH MODSEQ 1", lambda lines, one: self.use(one), asks=["SEARCH"])
            command.enables = "CONDSTORE"
            return command
        if not box.is_static:
            return Command("UID SEARCH ALL", asks=["SEARCH"])
        every = tuple(range(1, box.count() + 1))
        if draw < 0.5:
            return Command(b"UID SEARCH SUBJECT {%d+}\r\n%s" % (len(own), own.encode()), self.found(every),
                           asks=["SEARCH"])
        if draw < 0.7:
            return Command(f'SEARCH RETURN (COUNT) SUBJECT "{own}"', self.counted(len(every)), asks=["ESEARCH"])
        if draw < 0.8:
            return Command("UID SORT (REVERSE ARRIVAL) UTF-8 ALL", asks=["SORT"])
        return Command(f'UID SEARCH TEXT "{own}{box.key}/{box.key}-i{len(every)}>"', self.found(every[-1:]),
                       asks=["SEARCH"])

    def found(self, numbers):
        def check(lines, one):
            results = [sorted(map(int, line.split(b"(")[0].split()[2:])) for line in lines
                       if line.startswith(b"* SEARCH")]
            self.need(list(numbers) in results or (not numbers and not results), numbers, lines)
        return check

    def counted(self, number):
        def check(lines, one):
            mine = [line for line in lines if b'(TAG "%s")' % one.tag in line]
            self.need(len(mine) == 1 and b"COUNT %d" % number in mine[0], number, lines)
        return check

    def store(self):
        box = self.at
        if self.at_examine:
            return self.fetch()
        flag = self.chance.choice(["\\Seen", "\\Flagged", "\\Answered"])
        if box.key == "keep" and self.chance.random() < 0.6:
            flag = "\\Deleted"
        sign, silent = self.chance.choice("+-"), self.chance.choice(["", "", ".SILENT"])
        if flag == "\\Deleted":
            sign = "+"
        if not box.is_static:
            return Command(f"UID STORE * {sign}FLAGS{silent} ({flag})", self.check_store, status=("OK", "NO"))
        if self.chance.random() < 0.08:
            command = Command(f"STORE 1 (UNCHANGEDSINCE 1) {sign}FLAGS ({flag})", lambda lines, one: self.use(one),
                              status=("OK", "NO"))
            command.enables = "CONDSTORE"
            return command
        number = self.chance.randint(1, box.count())
        return Command(f"STORE {number} {sign}FLAGS{silent} ({flag})", self.check_store)

    def check_store(self, lines, one):
        """Who has enabled CONDSTORE, and only he (see judge), sees MODSEQ in each change."""
        if len(self.batch) == 1 and self.condstore is True:
            changed = [line for line in lines if b" FETCH (" in line and b"FLAGS" in line]
            self.need(all(b"MODSEQ (" in line for line in changed), "CONDSTORE is enabled", changed)

    def expunge(self):
        # In `keep` it would remove what nobody may remove.
        if self.at.key == "keep" or self.at_examine:
            return self.fetch()
        return Command("EXPUNGE")

    def status(self):
        names = [name for name in self.boxes if self.boxes[name] not in (self.at, self.box)]
        box = self.boxes[self.chance.choice(names)]
        if self.chance.random() < 0.06:
            return Command(f"STATUS {self.nowhere.name} (MESSAGES)", status=("NO",))
        is_using = self.chance.random() < 0.08
        items = "MESSAGES UIDNEXT UIDVALIDITY" + (" HIGHESTMODSEQ" if is_using else "")
        command = Command(f"STATUS {box.name} ({items})", self.check_status, asks=["STATUS"])
        command.about = box
        if is_using:
            command.enables = "CONDSTORE"
        return command

    def check_status(self, lines, one):
        box = one.about
        mine = [line for line in lines if line.startswith(b"* STATUS ")
                and line.split()[2].strip(b'"') == box.name.encode()]
        self.need(mine, "no STATUS", lines)
        low, high = box.bounds(one.before)
        for line in mine:
            told = dict(zip(*[iter(line[line.index(b"(") + 1:line.rindex(b")")].split())] * 2))
            self.need(low <= int(told[b"MESSAGES"]) <= high, f"{low} to {high} messages", [line])
            self.need(int(told[b"UIDVALIDITY"]) == box.uidvalidity, box.uidvalidity, [line])
            self.need(not box.is_static or int(told[b"UIDNEXT"]) == high + 1, "UIDNEXT", [line])
        self.use(one)

    def list(self):
        draw = self.chance.random()
        if self.prefix:
            return Command(f'LIST "" {self.nowhere.name}')  # Cyrus' administrators see all, or nothing
        if draw < 0.3 and not self.made:
            return Command(f'LIST "" n-{self.nonce.decode()}*', asks=["LIST"],
                           check=lambda lines, one: self.need(not self.listed(lines) or len(self.batch) > 1,
                                                              "nothing is there", lines))
        if draw < 0.6:
            every = {box.name for box in self.boxes.values()}
            return Command('LIST "" %', asks=["LIST"],
                           check=lambda lines, one: self.need(every <= self.listed(lines), "all mailboxes", lines))
        name = self.boxes[self.chance.choice(list(self.boxes))].name
        return Command(f'LIST "" {name}', asks=["LIST"],
                       check=lambda lines, one: self.need(name in self.listed(lines), name, lines))

    def listed(self, lines):
        return {line.split()[-1].strip(b'"').decode() for line in lines if line.startswith(b"* LIST")}

    def local(self):
        verb = self.chance.choice(["NOOP", "NOOP", "CAPABILITY", "ID NIL", "NAMESPACE"])
        asks = [] if verb == "NOOP" else [verb.split()[0]]
        return Command(verb, asks=asks, attaches=verb != "NOOP")

    def lost(self):
        """What needs a mailbox, where none is selected."""
        line = self.chance.choice(["FETCH 1 FLAGS", "UID FETCH 1:* (UID BODY[])", "EXPUNGE", "SEARCH ALL", "CHECK",
                                   "STORE 1 +FLAGS (\\Deleted)", "CLOSE", "UNSELECT", "UID COPY 1 INBOX"])
        return Command(line, status=("BAD",))

    def odd(self):
        """What is refused, and costs the connection or nothing."""
        verb = self.chance.choice((*OTHERS, "COMPRESS DEFLATE", "XNONSENSE", "LANGUAGE de"))
        is_local = verb in OTHERS or verb.startswith("COMPRESS")
        return Command(verb, status=("BAD", "NO"), attaches=not is_local)

    def enable(self):
        words = self.chance.choice(["CONDSTORE", "CONDSTORE", "QRESYNC", "QRESYNC", "CONDSTORE QRESYNC",
                                    "qresync condstore X-NOTHING", "X-NOTHING"])
        command = Command(f"ENABLE {words}", self.check_enable, asks=["ENABLED"])
        command.enables = "ENABLE"
        return command

    def check_enable(self, lines, one):
        asked = set(one.text.decode().upper().split()[1:]) & {"CONDSTORE", "QRESYNC"}
        told = set()
        for line in lines:
            if line.startswith(b"* ENABLED"):
                told |= set(line.decode().upper().split()[2:])
        implied = {"CONDSTORE"} if "QRESYNC" in asked else set()
        # Cyrus says nothing of what is on already, be it by use.
        silent = self.told | (set() if self.saved[0] is False else {"CONDSTORE"})
        self.need(told <= asked | implied and asked - silent <= told, f"{asked}, and before {self.told}", lines)
        self.told |= asked | implied
        self.condstore = "CONDSTORE" in self.told or self.saved[0]
        self.qresync = "QRESYNC" in self.told or self.saved[1]

    # steps of their own

    def append(self, box=None, after=None):
        """Returns the UID, if it has one by then."""
        box = box or self.boxes["flow"]
        self.appended += 1
        key = f"{self.nonce.decode()}.{self.appended}"
        data = message(self.user, box.key, key, self.chance.choice([0, 0, 0, 3000, 70_000]))
        box.begin(key, data)
        self.world.note("append")

        def check(lines, one):
            uid = re.search(rb"\[APPENDUID \d+ (\d+)\]", one.reply)
            self.need(uid, "no APPENDUID", [one.reply])
            box.confirm(key, int(uid[1]))
            if box.key == "flow":
                self.flowing[int(uid[1])] = key

        flags = self.chance.choice(["", "(\\Seen) ", '"03-Mar-2025 10:00:00 +0000" '])
        text = f"APPEND {box.name} {flags}".encode()
        form = self.chance.choice(["sync", "nonsync", "pipeline"])
        if form == "sync":
            one = Command(text + b"{%d}" % len(data), check)
        else:
            one = Command(text + b"{%d+}\r\n" % len(data) + data, check)
        one.on_no = lambda: box.fail(key)
        if form == "sync":
            half = self.chance.randrange(len(data))
            self.begin([one])
            self.put(one.tag + b" " + one.text + b"\r\n")
            if self.go_on():
                self.put(data[:half])
                self.put(data[half:] + b"\r\n")
            self.finish()
        elif form == "nonsync":
            self.run(one)
        else:
            self.at, self.at_examine, self.needs = self.box, self.read_only, None
            commands = self.some(self.chance.randint(0, 3))
            commands.insert(self.chance.randint(0, len(commands)), one)
            self.run(*commands)

    def into(self, name, verb="SELECT"):
        """Selects, unless it is selected; True when it is."""
        box = self.boxes[name]
        if self.box is not box or self.read_only:
            one = Command(f"{verb} {box.name}", self.check_select)
            one.selects, one.is_examine = box, verb == "EXAMINE"
            self.run(one)
        return self.box is box

    def flow(self):
        """Moves messages round: what is removed is this session's own."""
        draw = self.chance.random()
        flow = self.boxes["flow"]
        # Not the big one: it is read too often as it is.
        least = 2 if draw < 0.2 and self.boxes["alpha"].count() > 1 else 1
        if draw < 0.4 and self.into("alpha" if least == 2 else "INBOX"):
            uid = self.chance.randint(least, self.box.count())
            self.copy("COPY", uid, f"{self.box.key}-i{uid}", self.box)
            return
        if not self.flowing:
            self.append()
        if not self.flowing or not self.into("flow"):
            return
        uid, key = self.flowing.popitem()
        if draw < 0.6 and self.world.has_move:
            self.copy("MOVE", uid, key, flow)
            return
        flow.leave(key)
        one = Command(f"UID STORE {uid} +FLAGS.SILENT (\\Deleted)")
        self.run(one)
        if one.answer == "OK" and self.chance.random() < 0.8:
            one = Command(f"UID EXPUNGE {uid}")
            self.run(one)
            if one.answer == "OK":
                flow.gone(key)
                self.world.note("expunge")

    def copy(self, verb, uid, key, box):
        copies = self.boxes["copies"]
        if verb == "MOVE":
            box.leave(key)
        copies.begin(key, box.data[key])
        one = Command(f"UID {verb} {uid} {copies.name}")
        one.on_no = lambda: copies.fail(key)
        # What is told while it moves is of both.
        lines = self.run(one)
        if one.answer == "OK":
            code = next((found for line in (one.reply, *lines)
                         if (found := re.search(rb"\[COPYUID \d+ %d (\d+)\]" % uid, line))), None)
            self.need(code, "no COPYUID", (one.reply, *lines))
            copies.confirm(key, int(code[1]))
            if verb == "MOVE":
                box.gone(key)
            self.world.note(verb.lower())

    def idle(self, until=None):
        one = Command("IDLE", attaches=True)
        behind = [Command("NOOP", attaches=False)] if self.chance.random() < 0.4 else []
        self.begin([one, *behind])
        self.put(one.tag + b" IDLE\r\n")
        if not self.go_on() and one.answer != "OK":
            # Refused for want of a connection: there is no IDLE to be ended.
            if behind:
                self.put(behind[0].tag + b" NOOP\r\n")
            self.finish()
            return
        if until:
            until()
        done = self.chance.choice([b"DONE\r\n", b"done\r\n", b"DONE\n"])
        self.put(done + b"".join(one.tag + b" NOOP\r\n" for one in behind))
        self.finish()

    def hold(self):
        """Stays in a mailbox until others have come and gone: somebody will have to wait."""
        if not self.into(self.chance.choice(["alpha", "flow", "keep"]), "EXAMINE"):
            return
        self.idle(self.world.let_others_pass)

    def make_a_mailbox(self):
        box = Box(self.user, f"n-{self.nonce.decode()}", False, self.prefix)
        name = box.name
        if self.is_wild or name in self.made:
            return
        self.made.add(name)
        # Dovecot may find, while it waits for its own lock, that another process has seen the mailbox.
        one = Command(f"CREATE {name}", status=("OK", "NO"))
        self.run(one)
        if one.answer != "OK" and b"[ALREADYEXISTS]" not in one.reply:
            return
        one = Command(f'LIST "" {name}', asks=["LIST"])
        lines = self.run(one)
        self.need(one.answer != "OK" or self.prefix or self.listed(lines) == {name}, name, lines)
        self.append(box)
        one = Command(f"STATUS {name} (MESSAGES)", asks=["STATUS"])
        one.about = box
        lines = self.run(one)
        if one.answer == "OK":
            low, high = box.bounds(one.before)
            self.need(low == high and lines and b"(MESSAGES %d)" % low in lines[-1], low, lines)
        if self.chance.random() < 0.8:
            self.run(Command(f"DELETE {name}", status=("OK", "NO")))
        self.world.note("mailbox")

    # what nobody should send

    def be_hostile(self):
        if self.box is self.boxes["keep"] and not self.read_only:
            return
        self.is_wild = True
        self.world.note("hostile")
        for _ in range(self.chance.randint(1, 3)):
            self.chance.choice([self.smuggle, self.smuggle, self.look_like_a_literal, self.notify, self.notify,
                                self.odd_tags, self.many_bad, self.bad_select, self.dangle, self.flood,
                                self.idle_badly, self.talk_behind_logout])()

    def provoke(self, stream):
        """Sends it and waits for the end of what comes of it: the answer to a NOOP, or the end."""
        one = Command("NOOP")
        self.begin([one])
        self.put(stream + one.tag + b" NOOP\r\n")
        self.finish()

    def loose_tag(self):
        self.count += 1
        tag = self.nonce + b"t%d" % self.count
        self.loose.add(tag)
        return tag

    def smuggle(self):
        """Its octets are no command: neither is its tag answered nor the mailbox made."""
        octets = self.nonce + b"smug CREATE smuggled-" + self.nonce + b"\r\n"
        stream = LITERALS[self.chance.choice(list(LITERALS))] % len(octets)
        self.provoke(self.loose_tag() + stream[1:] + octets + b"\r\n")

    def look_like_a_literal(self):
        octets = self.loose_tag() + b" NOOP\r\n"
        stream = NO_LITERALS[self.chance.choice(list(NO_LITERALS))] % len(octets)
        if stream.startswith(b"x "):
            stream = self.loose_tag() + stream[1:]
        self.provoke(stream + octets + b"\r\n")

    def notify(self):
        self.provoke(self.loose_tag() + b" NOTIFY SET STATUS (personal (MessageNew MessageExpunge FlagChange))\r\n")

    def odd_tags(self):
        self.loose.add(b"DONE")
        self.provoke(b"(a NOOP\r\n* NOOP\r\n+ NOOP\r\n\r\n\n" + self.loose_tag() + b"\r\nDONE\r\n")

    def many_bad(self):
        self.provoke(b"".join(self.loose_tag() + b" FETCH (((\r\n" for _ in range(25)))

    def bad_select(self):
        alpha = self.boxes["alpha"].name.encode()
        line = self.chance.choice([b"SELECT", b"SELECT %s (NOTHING)", b'EXAMINE "%s" x', b"SELECT %s (QRESYNC (1 1))"])
        self.provoke(self.loose_tag() + b" " + line.replace(b"%s", alpha) + b"\r\n")

    def dangle(self):
        """Leaves in the middle of something."""
        alpha, flow = self.boxes["alpha"].name.encode(), self.boxes["flow"].name.encode()
        self.put(self.chance.choice([
            self.loose_tag() + b" APPEND " + flow + b" {500}\r\n" + b"only a part of it",
            self.loose_tag() + b" APPEND " + flow + b" {500+}\r\n" + b"only a part of it",
            self.loose_tag() + b" APPEND " + flow + b" {9223372036854775807}\r\n",
            self.loose_tag() + b' SELECT "alp', self.loose_tag() + b" SELECT {5+}\r\nal",
            self.loose_tag() + b" SELECT {5}\r\n", self.loose_tag() + b" UID FETCH 1:* (UID BODY.PEEK[]",
            self.loose_tag() + b" IDLE\r\n", self.loose_tag() + b" IDLE\r\nDON", b"x",
            self.loose_tag() + b" SELECT " + alpha + b"\r\n" + self.loose_tag() + b" FETCH 1 BODY.PEEK[]\r\n"]))
        self.leave()

    def flood(self):
        self.put(self.loose_tag() + b" SELECT " + self.boxes["alpha"].name.encode() + b"\r\n" + b"".join(
            self.loose_tag() + b" FETCH 1:* BODY.PEEK[]\r\n" for _ in range(self.chance.randint(1, 60))))
        self.leave()

    def idle_badly(self):
        tag = self.loose_tag()
        line = self.chance.choice([b"DONE", b"NONSENSE", b"DONE x", self.loose_tag() + b" NOOP"])
        self.put(tag + b" IDLE\r\n" + line + b"\r\n" + self.loose_tag() + b" NOOP\r\n")
        self.leave()

    def talk_behind_logout(self):
        self.is_leaving = True
        one = Command("LOGOUT")
        self.begin([one])
        self.put(one.tag + b" LOGOUT\r\n" + self.nonce + b"smug CREATE smuggled-" + self.nonce + b"\r\n")
        self.finish()
        self.client.close()
        raise Over("logout")


def wait_until(condition, seconds):
    """A pause that ends early; nothing depends on its having been long enough."""
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.02)
