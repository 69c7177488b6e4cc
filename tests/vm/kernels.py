# SPDX-License-Identifier: MIT
"""This module fetches the kernels of the lanes: Debian's own packages, through apt, from the mirror that this machine uses.

Each lane has an apt configuration of its own in the cache, so the machine's lists stay as they are. What apt cannot verify
with the keys of the machine is not used. A kernel that was fetched once is used again when the mirror cannot be reached."""
import contextlib
import fcntl
import glob
import lzma
import os
import re
import shutil
import subprocess
import tempfile
import time

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
META = "linux-image-cloud-amd64"
DAY_S = 86400
# Lane: the suite, and after how many days to ask for a newer kernel.
LANES = {"oldstable": ("bookworm", 30), "stable": ("trixie", 30), "unstable": ("sid", 2), "experimental": ("experimental", 2)}
CACHE = os.environ.get("GUEST_CACHE") or os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "build", "vm-cache")


class Unavailable(Exception):
    """Why a lane cannot run here."""


class Kernel:
    """One lane's kernel in the cache: its image and its modules; and the busybox of all guests."""

    def __init__(self, lane):
        self.lane = lane
        self.dir = os.path.join(os.path.abspath(CACHE), lane)
        self.image = os.path.join(self.dir, "vmlinuz")
        self.busybox = os.path.join(os.path.abspath(CACHE), "busybox")
        self.modules = os.path.join(self.dir, "modules")
        self.note = ""

    @property
    def build(self):
        """The package's version, which names one build of the kernel."""
        with open(os.path.join(self.dir, "version"), encoding="ascii") as version:
            return version.read().strip()

    def age_days(self):
        try:
            return (time.time() - os.stat(os.path.join(self.dir, "version")).st_mtime) / DAY_S
        except FileNotFoundError:
            return None

    def module(self, name):
        """The files to load for a module, in their order; none where the kernel has it built in."""
        found = glob.glob(f"{self.modules}/**/{name.replace('_', '[_-]')}.ko", recursive=True)
        if not found:
            return []
        with open(found[0], "rb") as file:
            info = file.read()
        wanted = b",".join(re.findall(rb"\0depends=([^\0]*)", info)).decode().split(",")
        wanted += b" ".join(re.findall(rb"\0softdep=pre: ([^\0]*)", info)).decode().split(" ")
        files = [file for other in wanted if other for file in self.module(other)]
        return list(dict.fromkeys(files + found[:1]))


def run(command, **more):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, **more)


def mirrors():
    """The archives that the machine's own apt sources name, whatever their format; the likely ones first."""
    lines = run(["apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE) $(COMPONENT)", "Created-By: Packages"]).stdout
    found = [line.split() for line in lines.splitlines() if line.endswith(" main")]
    found = [words[0] for words in found if len(words) == 3 and not re.search("-(security|updates|backports)", words[1])]
    return sorted(dict.fromkeys(found), key=lambda uri: not uri.rstrip("/").endswith("/debian"))


def configure(directory, suite, uri):
    """An apt that knows one suite and leaves the machine's alone; its environment."""
    for name in ("lists/partial", "archives/partial"):
        os.makedirs(os.path.join(directory, name), exist_ok=True)
    signed = f" signed-by={KEYRING}" if os.path.exists(KEYRING) else ""
    with open(os.path.join(directory, "sources.list"), "w", encoding="ascii") as file:
        file.write(f"deb [arch=amd64{signed}] {uri} {suite} main\n")
    open(os.path.join(directory, "status"), "w", encoding="ascii").close()
    with open(os.path.join(directory, "apt.conf"), "w", encoding="ascii") as file:
        file.write(f'''Dir::State "{directory}";
Dir::State::status "{directory}/status";
Dir::Cache "{directory}";
Dir::Etc::SourceList "{directory}/sources.list";
Dir::Etc::SourceParts "-";
Acquire::Languages "none";
Acquire::Retries "2";
APT::Sandbox::User "{'root' if os.geteuid() == 0 else ''}";
APT::Architecture "amd64";
''')
    return dict(os.environ, APT_CONFIG=os.path.join(directory, "apt.conf"))


def update(directory, suite):
    problem = "this machine's apt sources name no archive of Debian"
    for uri in mirrors():
        apt = configure(directory, suite, uri)
        result = run(["apt-get", "update", "-q", "-o", "APT::Update::Error-Mode=any"], env=apt)
        if result.returncode == 0:
            return apt
        problem = next((line for line in result.stdout.splitlines() if line[:2] in ("E:", "W:")), "apt-get update failed")
    raise Unavailable(f"the lists of {suite} could not be fetched: {problem}")


def packages(apt):
    """The packages of the kernel: image, binary and modules, however the suite cuts them."""
    wanted, found = [META], []
    while wanted:
        name = wanted.pop()
        for line in run(["apt-cache", "depends", name], env=apt).stdout.splitlines():
            other = line.split("Depends: ")[-1].strip()
            if re.match(r"linux-(image|binary|modules)-[0-9]", other) and other not in found:
                found.append(other)
                wanted.append(other)
    if not found:
        raise Unavailable(f"the package lists do not know {META}")
    return found


def unpack(apt, names, directory):
    for name in names:
        result = run(["apt-get", "download", "-q", name], env=apt, cwd=directory)
        if result.returncode:
            raise Unavailable(f"{name} could not be fetched: {result.stdout.strip().splitlines()[-1]}")
    for package in glob.glob(f"{directory}/*.deb"):
        result = run(["dpkg-deb", "-x", package, f"{directory}/root"])
        if result.returncode:
            raise Unavailable(f"{os.path.basename(package)} cannot be unpacked: {result.stdout.strip()}")
        os.unlink(package)


def lay_out(kernel, root):
    """Takes out of unpacked packages what a guest needs, modules decompressed."""
    images = glob.glob(f"{root}/boot/vmlinuz-*") + glob.glob(f"{root}/usr/lib/modules/*/vmlinuz")
    modules = glob.glob(f"{root}/usr/lib/modules/*/kernel") + glob.glob(f"{root}/lib/modules/*/kernel")
    if not (images and modules):
        raise Unavailable("the packages are not laid out as expected")
    shutil.copy(images[0], kernel.image)
    shutil.rmtree(kernel.modules, ignore_errors=True)
    shutil.move(modules[0], kernel.modules)
    for compressed in glob.glob(f"{kernel.modules}/**/*.ko.xz", recursive=True):
        with lzma.open(compressed) as source, open(compressed[: -len(".xz")], "wb") as plain:
            shutil.copyfileobj(source, plain)
        os.unlink(compressed)


def fetch_busybox(path):
    """The guests' tools are this machine's release's."""
    if os.path.exists(path):
        return
    with tempfile.TemporaryDirectory(dir=os.path.dirname(path)) as directory:
        unpack(None, ["busybox-static"], directory)
        found = glob.glob(f"{directory}/root/usr/bin/busybox") + glob.glob(f"{directory}/root/bin/busybox")
        if not found:
            raise Unavailable("busybox-static is not laid out as expected")
        shutil.move(found[0], path)


def refresh(kernel, suite):
    directory = os.path.join(kernel.dir, "apt")
    apt = update(directory, suite)
    version = re.search(r"^Version: (\S+)", run(["apt-cache", "show", META], env=apt).stdout, re.M)
    if not version:
        raise Unavailable(f"the package lists of {suite} do not know {META}")
    if kernel.age_days() is None or kernel.build != version[1]:
        fetched = os.path.join(kernel.dir, "fetch")
        shutil.rmtree(fetched, ignore_errors=True)
        os.makedirs(fetched)
        unpack(apt, packages(apt), fetched)
        lay_out(kernel, f"{fetched}/root")
        shutil.rmtree(fetched)
    with open(os.path.join(kernel.dir, "version"), "w", encoding="ascii") as file:
        file.write(version[1] + "\n")


@contextlib.contextmanager
def locked(path):
    with open(path, "w", encoding="ascii") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def fetch(lane):
    """A lane's kernel, fetched or from the cache; raises Unavailable with the reason."""
    suite, days = LANES[lane]
    for program in ("apt-get", "dpkg-deb", "mke2fs", "qemu-system-x86_64"):
        if not shutil.which(program):
            raise Unavailable(f"{program} is missing (tools/install-deps vm)")
    kernel = Kernel(lane)
    os.makedirs(kernel.dir, exist_ok=True)
    with locked(os.path.join(os.path.abspath(CACHE), "lock")):
        fetch_busybox(kernel.busybox)
        age = kernel.age_days()
        if age is not None and age < days:
            return kernel
        try:
            refresh(kernel, suite)
        except Unavailable as why:
            if age is None:
                raise
            kernel.note = f"a kernel of {age:.0f} days ago, for {why}"
    return kernel
