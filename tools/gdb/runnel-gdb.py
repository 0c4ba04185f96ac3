"""Goroutines in gdb, in a running program as well as in a core file.

    (gdb) source runnel-gdb.py       (or installed beside the library, then it is loaded with it)
    (gdb) info goroutines            number, state, and the innermost frame outside the library
    (gdb) goroutine 18 bt            a backtrace of goroutine 18
    (gdb) goroutine 18 COMMAND       any command, in its innermost frame ("frame", "info locals" after "up" …)

A core that gdb's own `gcore` wrote has no goroutines in it: it stops at the first guard page.  One that the
kernel wrote is whole.

A goroutine whose stack was put away (RUNNEL_HIBERNATE) is listed by the function that it began with; `goroutine N` brings
its stack back first, in a running program.

How: a goroutine that is switched away has its registers at g->sp (src/arch/<cpu>/switch.S).  For the time of a
command the innermost frame is declared, by a frame unwinder, to have been called from there.  Nothing in the
process is changed otherwise, so that it works on a core.
"""

import gdb
import gdb.unwinder

RUNNABLE, RUNNING, WAITING = 1, 2, 3  # enum rn_status
AWAY = 3  # enum rn_hib
CHUNK = 256  # records in a chunk (sched/stack.c)

# What the switch leaves at g->sp, in words from there; the stack pointer afterwards.
LAYOUT = {
    "i386:x86-64": (
        {"r15": 1, "r14": 2, "r13": 3, "r12": 4, "rbx": 5, "rbp": 6, "rip": 7},
        ("rsp", 8),
    ),
    "aarch64": (
        dict([("x%d" % (19 + i), i) for i in range(12)] + [("pc", 11)]),
        ("sp", 22),
    ),
}

WAITS = (
    "waiting chan-receive chan-send chan-receive-(nil-chan) chan-send-(nil-chan) select select-(no-cases) sleep "
    "mutex rwmutex-read rwmutex-write waitgroup once cond semaphore group flight scope context IO-wait signal external"
).split()


class SwitchedAway(gdb.unwinder.Unwinder):
    """While regs is set, the innermost frame's caller is where they say."""

    def __init__(self):
        super().__init__("runnel goroutine")
        self.regs = None
        self.innermost = None

    def __call__(self, pending):
        if self.regs is None or where(pending) != self.innermost:
            return None
        word = gdb.lookup_type("unsigned long")
        # Address 0: every other frame lies further out.
        pc = pending.read_register("pc")
        info = pending.create_unwind_info(FrameId(gdb.Value(0).cast(word), pc))
        for name, value in self.regs.items():
            info.add_saved_register(name, gdb.Value(value).cast(word))
        return info


class FrameId:
    def __init__(self, sp, pc):
        self.sp = sp
        self.pc = pc


def where(frame):
    return int(frame.read_register("pc")), int(frame.read_register("sp"))


unwinder = SwitchedAway()
gdb.unwinder.register_unwinder(None, unwinder, replace=True)


def number(value):
    """An integer field, atomic or not."""
    return int(value.cast(gdb.lookup_type("unsigned long")))


POOL_FILE = "sched/stack.c"


def pool_symbol():
    for symbol in gdb.lookup_static_symbols("pool"):
        if symbol.symtab.filename.endswith(POOL_FILE):
            return symbol
    raise gdb.GdbError("no goroutines: the program was not built with librunnel and its debug information")


def pool():
    return pool_symbol().value()


def sources():
    """The folder of the library's sources, as its debug information names it."""
    return pool_symbol().symtab.fullname()[:-len(POOL_FILE)]


def goroutines():
    """The records in use, by number."""
    p = pool()
    found = []
    for i in range(number(p["chunks_n"])):
        records = p["chunks"][i]["records"]
        found += [g for g in (records[j] for j in range(CHUNK)) if number(g["status"]) in (RUNNABLE, RUNNING, WAITING)]
    return sorted(found, key=lambda g: number(g["id"]))


def find(wanted):
    for g in goroutines():
        if number(g["id"]) == wanted:
            return g
    raise gdb.GdbError("no goroutine %d" % wanted)


def state(g):
    status = number(g["status"])
    if thread_of(g):
        return "running"
    if status == WAITING:
        why = number(g["waiting"])
        return WAITS[why].replace("-", " ") if why < len(WAITS) else "waiting"
    return {RUNNABLE: "runnable", RUNNING: "running"}.get(status, "dead")


def is_away(g):
    return number(g["hib"]) >= AWAY


def is_live():
    return any(thread.is_valid() for thread in gdb.selected_inferior().threads()) and \
        gdb.selected_inferior().connection is not None and gdb.selected_inferior().connection.type != "core"


def bring_back(g):
    """Its stack is to be looked at."""
    if not is_away(g):
        return
    if not is_live():
        raise gdb.GdbError("goroutine %d's stack was put away; what was in use of it, from %#x on, is at %#x%s" %
                           (number(g["id"]), number(g["sp"]), number(g["kept"]),
                            ", without a run of zeroes (src/sched/kept_stack.c)" if number(g["hollow"]) else ""))
    gdb.parse_and_eval("(void)rn__hib_stay((struct rn_g *)%d)" % int(g.address))
    gdb.invalidate_cached_frames()


def began_with(g):
    return str(gdb.parse_and_eval("(void (*)(void))%d" % number(g["entry"]))).split("<")[-1].rstrip(">") + " ()"


def saved_registers(g):
    layout, (sp_name, sp_words) = LAYOUT[gdb.selected_inferior().architecture().name()]
    sp = number(g["sp"])
    words = gdb.Value(sp).cast(gdb.lookup_type("unsigned long").pointer())
    regs = {name: int(words[at]) for name, at in layout.items()}
    regs[sp_name] = sp + 8 * sp_words
    return regs


def thread_of(g):
    """The gdb thread that runs g, or None."""
    if number(g["on_cpu"]) == 0 or number(g["m"]) == 0:
        return None
    m = gdb.Value(number(g["m"])).cast(gdb.lookup_type("struct rn_m").pointer())
    tid = int(m["tid"])
    for thread in gdb.selected_inferior().threads():
        if thread.ptid[1] == tid:
            return thread
    return None


class As:
    """Within it, goroutine g's innermost frame is selected."""

    def __init__(self, g):
        self.g = g

    def __enter__(self):
        self.before = gdb.selected_thread()
        thread = thread_of(self.g)
        if thread:
            thread.switch()
            return gdb.newest_frame()
        unwinder.innermost = where(gdb.newest_frame())
        unwinder.regs = saved_registers(self.g)
        gdb.invalidate_cached_frames()
        frame = gdb.newest_frame()
        while frame.type() == gdb.INLINE_FRAME:
            frame = frame.older()
        frame = frame.older()
        frame.select()
        return frame

    def __exit__(self, *exception):
        unwinder.regs = None
        gdb.invalidate_cached_frames()
        if self.before:
            self.before.switch()


def is_internal(frame, library):
    name = frame.name() or ""
    file = frame.find_sal().symtab.fullname() if frame.find_sal().symtab else ""
    return (name.startswith("rn_") and name != "rn_main") or file.startswith(library)


def describe(frame):
    sal = frame.find_sal()
    where = " at %s:%d" % (sal.symtab.filename, sal.line) if sal.symtab else ""
    return "%s ()%s" % (frame.name() or "0x%x" % frame.pc(), where)


def user_frame(frame, library):
    first = frame
    while frame and is_internal(frame, library):
        frame = frame.older()
    return frame or first


class InfoGoroutines(gdb.Command):
    """Lists the goroutines: number, name, state, and the innermost frame outside the library."""

    def __init__(self):
        super().__init__("info goroutines", gdb.COMMAND_STACK, gdb.COMPLETE_NONE)

    def invoke(self, argument, from_tty):
        library = sources()
        for g in goroutines():
            name = ' "%s"' % g["name"].string() if number(g["name"]) else ""
            if is_away(g):
                print("%5d%s [%s, put away] %s" % (number(g["id"]), name, state(g), began_with(g)))
                continue
            with As(g) as frame:
                text = describe(user_frame(frame, library))
            print("%5d%s [%s] %s" % (number(g["id"]), name, state(g), text))


class Goroutine(gdb.Command):
    """goroutine N COMMAND: runs a command in goroutine N's innermost frame; bt prints its backtrace."""

    def __init__(self):
        super().__init__("goroutine", gdb.COMMAND_STACK, gdb.COMPLETE_NONE)

    def invoke(self, argument, from_tty):
        words = argument.split(None, 1)
        if not words or not words[0].isdigit():
            raise gdb.GdbError("goroutine N COMMAND")
        g = find(int(words[0]))
        command = words[1] if len(words) > 1 else "bt"
        bring_back(g)
        with As(g) as frame:
            if command in ("bt", "backtrace", "where"):
                self.backtrace(frame)
            else:
                gdb.execute(command, from_tty)

    def backtrace(self, frame):
        level = 0
        while frame:
            print("#%-3d %s" % (level, describe(frame)))
            frame = frame.older()
            level += 1


InfoGoroutines()
Goroutine()
