# SPDX-License-Identifier: MIT
"""This module runs programs in a lane's guest: it makes the disk they see, boots, and judges what came of each.

A program and every file that its command and environment name are found at the same paths as here, with the libraries they
need. The guest's root is an ext4 file system on a disk of its own; a small initial file system only loads the disk's driver."""
import gzip
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field

HERE = os.path.dirname(os.path.abspath(__file__))
BOOT_MODULES = ["virtio_pci", "virtio_blk", "crc32c_generic", "ext4"]
# An emulated machine is this much slower than the one that the tests' time limits were made for.
SLOWNESS = 4
BOOT_S = 600
# On a busy machine an emulated timer is late: the kernel must not take that for a broken one, nor for a processor that hangs.
PATIENCE = ["tsc=reliable", "no_timer_check", "nosoftlockup", "rcupdate.rcu_cpu_stall_suppress=1"]
# What tests use beyond the options that a busybox has; and a shell, as the busybox's prefers its own of everything.
TOOLS = ["sh", "date", "setpriv", "unshare"]
SPLAT = re.compile(
    r"WARNING: |BUG: |kernel BUG at|Oops|general protection fault, |Kernel panic|UBSAN: |KASAN: |KFENCE: |Bad page|Bad rss|"
    r"page dumped because|list_(add|del) corruption|refcount_t: |detected stall|soft lockup|blocked for more than|lockdep: ")
USER_FAULT = re.compile(r"traps: |segfault at")


@dataclass
class Options:
    """How to boot; the fields are the options of `lane`."""
    mem_mib: int = 1024
    cpus: int = 2
    nodes: int = 1
    levels: int = 5
    kaslr: bool = True
    thp: str = "madvise"
    swap: str = ""
    limit: str = ""
    append: str = ""
    modules: list = field(default_factory=list)
    setup: str = ""
    extra: list = field(default_factory=list)
    keep: str = ""

    def __str__(self):
        words = [f"{self.levels}-level", "kaslr" if self.kaslr else "nokaslr", f"{self.cpus}cpu", f"thp={self.thp}", f"{self.mem_mib}M"]
        words += [f"{self.nodes}nodes"] * (self.nodes > 1)
        words += [f"swap={self.swap}"] * bool(self.swap) + [f"limit={self.limit}"] * bool(self.limit) + [self.append] * bool(self.append)
        return " ".join(words)


@dataclass
class Test:
    """A program to run in the guest, and what came of it."""
    name: str
    command: list
    environment: dict = field(default_factory=dict)
    seconds: int = 60
    directory: str = ""
    verdict: str = "fail"
    reason: str = "the guest did not come to it"
    output: str = ""
    kernel: list = field(default_factory=list)
    took_s: float = 0


class Refused(Exception):
    """Why the guest cannot be what the options ask for, or was never up."""


def output(command):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False).stdout


class Root:
    """The directory that becomes the guest's disk."""

    def __init__(self, directory, kernel):
        self.directory = directory
        for name in ("bin", "sbin", "usr/bin", "usr/sbin", "proc", "sys", "dev", "run", "tmp", "root", "etc", "var/tmp", "lane/tests",
                     "lane/out", "lane/modules"):
            os.makedirs(f"{directory}/{name}", exist_ok=True)
        os.chmod(f"{directory}/tmp", 0o1777)
        os.chmod(f"{directory}/var/tmp", 0o1777)
        shutil.copy(kernel.busybox, f"{directory}/bin/busybox")
        for applet in output([kernel.busybox, "--list"]).split():
            if applet != "busybox":
                os.symlink("busybox", f"{directory}/bin/{applet}")
        for name in ("sh", "env", "cat"):
            if not os.path.lexists(f"{directory}/usr/bin/{name}"):
                os.symlink("/bin/busybox", f"{directory}/usr/bin/{name}")
        for tool in filter(None, map(shutil.which, TOOLS)):
            self.add(tool, f"/bin/{os.path.basename(tool)}")
        self.write("etc/passwd", "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n")
        self.write("etc/group", "root:x:0:\nnogroup:x:65534:\n")
        self.write("etc/nsswitch.conf", "passwd: files\n")

    def write(self, name, text):
        with open(f"{self.directory}/{name}", "w", encoding="utf-8") as file:
            file.write(text)

    def add(self, path, place=None):
        """A file or a directory at the same path (or in another place), and what it needs in order to run."""
        path = os.path.abspath(path)
        there = self.directory + (place or path)
        if place and os.path.lexists(there):
            os.unlink(there)
        if os.path.lexists(there):
            return
        os.makedirs(os.path.dirname(there), exist_ok=True)
        if os.path.isdir(path):
            shutil.copytree(path, there, dirs_exist_ok=True)
            return
        shutil.copy(path, there)
        with open(path, "rb") as file:
            start = file.read(256)
        if start.startswith(b"#!"):
            interpreter = start[2:].split(b"\n")[0].split()[0].decode()
            if not os.path.lexists(self.directory + interpreter):
                self.add(interpreter)
        elif start.startswith(b"\x7fELF"):
            libraries = output(["ldd", path])
            # pthread_exit() and pthread_cancel() look for libgcc_s on their own.
            loaded = re.findall(r"libgcc_s.so.1 .*x86-64.* => (/\S+)", output(["/sbin/ldconfig", "-p"])) if "libc.so" in libraries else []
            for library in re.findall(r"(/\S+) \(0x", libraries) + loaded:
                self.add(library)

    def add_test(self, number, test, setup_environment):
        directory = test.directory or os.getcwd()
        os.makedirs(self.directory + os.path.abspath(directory), exist_ok=True)
        words = [word for value in [*test.command, *test.environment.values()] for word in [value, *value.split("=", 1)[1:]]]
        program = test.command[0]
        if "/" not in program:
            program = shutil.which(program) or program
        for word in [program, *words]:
            path = os.path.join(directory, word)
            if word and os.path.isfile(path):
                self.add(path)
        exports = {**setup_environment, **test.environment}
        lines = [f"# {test.seconds}", f"cd {shlex.quote(os.path.abspath(directory))} || exit 1"]
        lines += [f"export {name}={shlex.quote(value)}" for name, value in exports.items()]
        lines.append("exec " + shlex.join([program, *test.command[1:]]))
        self.write(f"lane/tests/{number:03d}", "\n".join(lines) + "\n")


def make_initrd(kernel, modules, path):
    """The initial file system: a busybox, the disk's modules in their order, boot.init."""
    with tempfile.TemporaryDirectory() as directory:
        for name in ("bin", "dev", "proc", "root", "modules"):
            os.mkdir(f"{directory}/{name}")
        shutil.copy(kernel.busybox, f"{directory}/bin/busybox")
        shutil.copy(f"{HERE}/boot.init", f"{directory}/init")
        os.chmod(f"{directory}/init", 0o755)
        for file in modules:
            shutil.copy(file, f"{directory}/modules")
        with open(f"{directory}/modules/order", "w", encoding="ascii") as order:
            order.write("\n".join(map(os.path.basename, modules)) + "\n")
        files = subprocess.run(["find", "."], cwd=directory, stdout=subprocess.PIPE, check=True).stdout
        archive = subprocess.run([kernel.busybox, "cpio", "-o", "-H", "newc"], cwd=directory, input=files, stdout=subprocess.PIPE,
                                 stderr=subprocess.DEVNULL, check=True).stdout
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(archive)


def with_dependencies(kernel, names):
    return list(dict.fromkeys(file for name in names for file in kernel.module(name)))


def make_disk(kernel, options, tests, booted, path):
    with tempfile.TemporaryDirectory() as directory:
        root = Root(directory, kernel)
        modules = with_dependencies(kernel, ["lzo_rle", "zram"] * options.swap.startswith("zram:") + options.modules)
        modules = [file for file in modules if file not in booted]
        for file in modules:
            shutil.copy(file, f"{directory}/lane/modules")
        settings = {"LANE_MODULES": " ".join(map(os.path.basename, modules)), "LANE_SWAP": options.swap, "LANE_LIMIT": options.limit}
        root.write("lane/settings", "".join(f"{name}={shlex.quote(value)}\n" for name, value in settings.items()))
        shutil.copy(f"{HERE}/guest.init", f"{directory}/lane/guest.init")
        os.chmod(f"{directory}/lane/guest.init", 0o755)
        if options.setup:
            shutil.copy(options.setup, f"{directory}/lane/setup")
        for file in options.extra:
            root.add(file)
        for number, test in enumerate(tests):
            root.add_test(number, test, {"TIDEMARK_LANE": kernel.lane})
        os.chmod(directory, 0o755)
        subprocess.run(["mke2fs", "-q", "-F", "-t", "ext4", "-O", "^has_journal", "-E", "root_owner=0:0", "-d", directory, path, "2G"],
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)


def qemu(kernel, options, directory):
    cpu = "max,-cx16,-erms,-fsrm" + (",-la57" if options.levels == 4 else "")
    append = ["console=ttyS0", "panic=-1", "mitigations=off", "quiet", *PATIENCE, f"transparent_hugepage={options.thp}"]
    append += [] if options.kaslr else ["nokaslr"]
    disks = [f"file={directory}/disk,if=virtio,format=raw,cache=unsafe"]
    if options.swap.startswith("disk:"):
        with open(f"{directory}/swap", "wb") as swap:
            swap.truncate(parse_size(options.swap[len("disk:"):]))
        disks.append(f"file={directory}/swap,if=virtio,format=raw,cache=unsafe")
    nodes = []
    for node in range(options.nodes if options.nodes > 1 else 0):
        nodes += ["-object", f"memory-backend-ram,id=node{node},size={options.mem_mib // options.nodes}M", "-numa",
                  f"node,nodeid={node},memdev=node{node}" + (f",cpus={node}" if node < options.cpus else "")]
    sockets = f",sockets={options.nodes}" if options.nodes > 1 else ""
    # One thread: with several, the emulator ran processors' clocks apart. No cmpxchg16b: it leaves wrong flags
    # behind. No fast string instructions: emulated, they clear and copy memory byte by byte.
    return ["qemu-system-x86_64", "-accel", "tcg,thread=single", "-cpu", cpu, "-m", str(options.mem_mib), "-smp", f"{options.cpus}{sockets}",
            *nodes, "-net", "none", "-display", "none", "-monitor", "none", "-no-reboot", "-kernel", kernel.image, "-initrd", f"{directory}/initrd",
            *[word for disk in disks for word in ("-drive", disk)], "-serial", f"file:{directory}/console", "-serial",
            f"file:{directory}/results", "-append", " ".join(append + [options.append])]


def parse_size(text):
    return int(text[:-1]) << {"K": 10, "M": 20, "G": 30}[text[-1].upper()] if not text.isdigit() else int(text)


def known_warnings(lane):
    with open(f"{HERE}/known-warnings", encoding="utf-8") as lines:
        words = [line.split(None, 1) for line in lines if line.strip() and not line.startswith("#")]
    return [re.compile(pattern.strip()) for known, pattern in words if known in (lane, "all")]


def splats(lines, lane):
    known = known_warnings(lane)
    found = [line for line in lines if SPLAT.search(line) and not USER_FAULT.search(line)]
    return [line for line in found if not any(pattern.search(line) for pattern in known)]


def last_line(text):
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:200] if lines else "it said nothing"


def cmocka_counts(text):
    """How many tests a cmocka program passed and skipped, over all of its groups."""
    return [sum(map(int, re.findall(rf"\[  {word} *\] (\d+) test", text))) for word in ("PASSED", "SKIPPED")]


def judge(test, status, lane):
    passed, skipped = cmocka_counts(test.output)
    bad = splats(test.kernel, lane)
    if status == 77 or (status == 0 and skipped and not passed):
        test.verdict, test.reason = "skip", last_line(test.output)
    elif status == 137 and test.took_s >= test.seconds:
        test.verdict, test.reason = "fail", f"no end after {test.seconds} s: {last_line(test.output)}"
    elif status:
        failures = re.findall(r"^\[  FAILED  \] (?!\d)(\S+)", test.output, re.M)
        why = "failed: " + " ".join(dict.fromkeys(failures)) if failures else last_line(test.output)
        test.verdict, test.reason = "fail", f"status {status}: {why}"
    else:
        test.verdict, test.reason = "pass", f"{skipped} of {passed + skipped} cases skipped" if skipped else ""
    killed = [line for line in test.kernel if "Out of memory: Killed" in line or "Memory cgroup out of memory: Killed" in line]
    if killed and test.verdict == "fail":
        test.reason += f"; the kernel: {killed[0]}"
    if bad:
        test.verdict, test.reason = "fail", f"the kernel: {bad[0]}" + (f" ({test.reason})" if test.verdict == "fail" and status else "")


def read_results(path, tests, lane):
    """Takes what the guest said apart. Returns what the kernel said while it booted, and whether the guest came to its end."""
    with open(path, encoding="utf-8", errors="replace") as file:
        lines = file.read().replace("\r", "").splitlines()
    boot, test, sink, done = [], None, [], False
    for line in lines:
        word, _, rest = line[3:].partition(" ") if line.startswith("@@ ") else ("", "", "")
        if word == "begin":
            test, sink = tests[int(rest)], []
            test.reason = "the guest went down while it ran"
            said = sink
        elif word == "status":
            status, before, after = rest.split()
            test.output, test.took_s = "\n".join(said).strip() + "\n", float(after) - float(before)
        elif word == "kernel":
            sink = test.kernel if test else boot
        elif word == "end":
            if test:
                judge(test, int(status), lane)
            test, sink = None, []
        elif word == "refused":
            raise Refused(rest)
        elif word == "done":
            done = True
        elif not word:
            sink.append(line)
    if test:
        test.output = "\n".join(said)
    return boot, done


def went_down(directory, tests, seconds):
    """The tests that a guest that did not come to its end leaves without a verdict get its last words."""
    with open(f"{directory}/console", encoding="utf-8", errors="replace") as file:
        console = file.read().replace("\r", "").splitlines()
    words = [line for line in console if SPLAT.search(line)] or console[-1:] or ["the console is empty"]
    for test in tests:
        if test.reason.startswith("the guest"):
            test.reason += f" ({seconds} s at most); its console: {words[0].strip()[:200]}"


def boot(kernel, options, tests):
    """Runs tests in a guest; each has its verdict then. Returns what the kernel said until they began."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    directory = options.keep or tempfile.mkdtemp(prefix="lane.")
    os.makedirs(directory, exist_ok=True)
    try:
        booted = with_dependencies(kernel, BOOT_MODULES)
        make_initrd(kernel, booted, f"{directory}/initrd")
        make_disk(kernel, options, tests, booted, f"{directory}/disk")
        for name in ("console", "results"):
            open(f"{directory}/{name}", "wb").close()
        seconds = BOOT_S + sum(test.seconds for test in tests)
        with open(f"{directory}/qemu", "wb") as log:
            process = subprocess.Popen(["nice", "setpriv", "--pdeathsig", "KILL", *qemu(kernel, options, directory)], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            pass
        finally:
            process.kill()
            process.wait()
        said, done = read_results(f"{directory}/results", tests, kernel.lane)
        if not done:
            went_down(directory, tests, seconds)
        return said
    finally:
        for name in ("disk", "swap", "initrd"):
            if os.path.exists(f"{directory}/{name}"):
                os.unlink(f"{directory}/{name}")
        if not options.keep:
            shutil.rmtree(directory)
