#!/usr/bin/env python3
"""Checks this engine on the NVIDIA GPU of this machine and writes what came of it.

    ./gpu-check/run OUT [--steps doctor,optests] [--fixtures DIR] [--device cuda:1]

Steps run one after the other, each within its own time; one that fails or takes too long is reported as such, and the next goes on.
OUT gets summary.json, results.md, logs.tar.gz, and card.safetensors, gpubench.json, bench.json, peers.json of the steps that write them.
Exit 0: every step passed; 1: some did not; 2: nothing could be run.
"""
import argparse
import ctypes
import datetime
import json
import os
import re
import signal
import subprocess
import sys
import tarfile
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
BIN = os.path.join(HERE, "bin")

# Those that PyTorch's numbers are of, and what the engine does besides.
STAGES = ("vision-tower,vision-tower-5,vision-tower-13,prefill,prefill-1325,prefill-3368,decode,decode-8,image-encoder,memory-attention,"
          "mask-decoder,memory-encoder,tracked-1,tracked-10,first-token,frame,frame-beside-chat")

# Name, seconds it may take, what it is.
STEPS = [
    ("doctor", 120, "every kernel on small shapes against float64, in every precision; results recorded"),
    ("gpubench", 60, "micro-benchmarks: each constant of the model of time beside what this GPU takes"),
    ("bench", 150, "stages of Sa2VA-1B (computed weights) and their kernels, bf16"),
    ("verify-f32", 120, "recorded computations, float32"),
    ("verify-bf16", 120, "recorded computations, bf16"),
    ("predict-f32", 150, "recorded answers with their masks, float32"),
    ("predict-bf16", 150, "recorded answers with their masks, bf16"),
    ("peers", 130, "PyTorch on the same card: products, attention, SAM 2.1-L, Qwen2-0.5B, copies"),
    ("optests", 240, "all tests of ops and plans (`SA2VA_BACKENDS`)"),
]
NAMES = [name for name, _, _ in STEPS]


def fail(message):
    print(f"gpu-check: {message}", file=sys.stderr)
    sys.exit(2)


def arguments():
    parser = argparse.ArgumentParser(prog="gpu-check/run", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
                                     epilog="Steps:\n" + "\n".join(f"  {n:<13} at most {s:>3} s: {w}" for n, s, w in STEPS))
    parser.add_argument("out", metavar="OUT", help="an empty or new folder")
    parser.add_argument("--steps", default=",".join(NAMES), metavar="LIST", help="only these, separated by commas")
    parser.add_argument("--fixtures", default=HERE, metavar="DIR",
                        help="a folder with tests/fixtures and samples, such as a clone of the repository; by default what was packed")
    parser.add_argument("--device", default="cuda", metavar="D", help="cuda, cuda:N, or virtual:CARD to try this script without a GPU")
    parser.add_argument("--limit", type=float, default=1, metavar="F", help="every step may take F times as long")
    given = parser.parse_args()
    given.steps = [s.strip() for s in given.steps.split(",") if s.strip()]
    for step in given.steps:
        if step not in NAMES:
            fail(f"there is no step '{step}'; there are {', '.join(NAMES)}")
    if not re.fullmatch(r"cuda(:\d+)?|virtual(:\w+)?", given.device):
        fail(f"--device takes cuda, cuda:N or virtual:CARD, not '{given.device}'")
    if os.path.isfile(given.out) or os.path.isdir(given.out) and os.listdir(given.out):
        fail(f"'{given.out}' is there already; give a new folder")
    return given


def gpu(device):
    """What the driver says of a GPU, or why there is none, as (facts, reason)."""
    try:
        cuda = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return None, "this machine has no NVIDIA driver (libcuda.so.1)"
    index, version, handle, count = int((device.split(":") + ["0"])[1]), ctypes.c_int(), ctypes.c_int(), ctypes.c_int()
    if cuda.cuInit(0) or cuda.cuDeviceGetCount(ctypes.byref(count)) or count.value == 0:
        return None, "the driver finds no GPU"
    if index >= count.value:
        return None, f"there is no GPU {index}; the driver has {count.value}"
    name, memory, attribute = ctypes.create_string_buffer(256), ctypes.c_size_t(), ctypes.c_int()
    cuda.cuDriverGetVersion(ctypes.byref(version))
    cuda.cuDeviceGet(ctypes.byref(handle), index)
    cuda.cuDeviceGetName(name, 256, handle)
    cuda.cuDeviceTotalMem_v2(ctypes.byref(memory), handle)
    capability = []
    for which in (75, 76):  # major and minor compute capability
        cuda.cuDeviceGetAttribute(ctypes.byref(attribute), which, handle)
        capability.append(attribute.value)
    return {"device": name.value.decode(), "capability": f"{capability[0]}.{capability[1]}", "memory_bytes": memory.value,
            "cuda": f"{version.value // 1000}.{version.value % 1000 // 10}", "driver": driver_version()}, None


def driver_version():
    try:
        return subprocess.run(["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"], capture_output=True, text=True,
                              timeout=20).stdout.split("\n")[0].strip() or None
    except (OSError, subprocess.TimeoutExpired):
        return None


class Steps:
    """Commands of the steps, and what is read out of what they print."""

    def __init__(self, given, work):
        self.out, self.work, self.device = os.path.abspath(given.out), work, given.device
        self.fixtures = os.path.join(os.path.abspath(given.fixtures), "tests", "fixtures")
        self.backend = "gpu" if given.device.startswith("cuda") else "cuda"

    def missing(self, step):
        """Why a step cannot be run, or None."""
        kind = step.split("-")[0]
        if kind in ("verify", "predict") and not os.path.isdir(self.fixtures):
            return f"there is no {self.fixtures}: give --fixtures"
        if kind == "optests" and self.device not in ("cuda", "cuda:0") and self.backend == "gpu":
            return "tests of ops use the first GPU"
        if kind == "peers":
            try:
                if subprocess.run([sys.executable, "-c", "import torch"], capture_output=True, timeout=60).returncode:
                    return "PyTorch is not installed"
            except subprocess.TimeoutExpired:
                return "importing PyTorch took more than a minute"
        return None

    def command(self, step):
        kind, _, precision = step.partition("-")
        sa2va = os.path.join(BIN, "sa2va")
        if kind == "doctor":
            return [sa2va, "doctor", "--device", self.device, "--record", os.path.join(self.out, "card.safetensors")]
        if kind == "optests":
            return [os.path.join(BIN, "Sa2VA.Backends.Tests"), "-noLogo", "-noColor"]
        if kind in ("verify", "predict"):
            goldens = os.path.join(self.fixtures, "goldens" if kind == "verify" else "predict")
            return [sa2va, "verify", "--goldens", goldens, "--device", self.device, "--precision", precision,
                    "--markdown", os.path.join(self.work, f"{step}.md")]
        if kind == "gpubench":
            return [os.path.join(BIN, "Sa2VA.GpuBench"), "--device", self.device, "--json", os.path.join(self.out, "gpubench.json")]
        if kind == "bench":
            # A virtual card models these by itself, and no others.
            stages = [] if self.device.startswith("virtual") else ["--stages", STAGES]
            return [sa2va, "bench", "--preset", "sa2va-1b", "--device", self.device, "--precision", "bf16", "--kernels", "--json",
                    "--markdown", os.path.join(self.work, "bench.md"), *stages]
        return [sys.executable, os.path.join(HERE, "peers.py"), os.path.join(self.out, "peers.json")]

    def headline(self, step, log):
        """The line that says how it went, and more as Markdown."""
        kind, more = step.split("-")[0], ""
        lines = [line.strip() for line in log.splitlines() if line.strip()]
        pattern = {"doctor": r"checks passed|cannot be used", "optests": r"Total: \d+", "verify": r"^\d+ passed, ",
                   "predict": r"^\d+ passed, ", "bench": r"^$", "gpubench": r"^\d+ of \d+ measured", "peers": r"^peers: "}[kind]
        found = [line for line in lines if re.search(pattern, line)]
        if kind == "doctor":
            more = "\n".join(f"- {line}" for line in lines if re.match(r"Driver|GPU \d|Device|Kernels|Wrong", line))
        elif kind in ("verify", "predict"):
            more = read(os.path.join(self.work, f"{step}.md"))
        elif kind == "gpubench":
            more = "\n".join(line for line in lines if line.startswith("|"))
        elif kind == "bench":
            more = read(os.path.join(self.work, "bench.md"))
            found = [f"{len(read(os.path.join(self.out, 'bench.json')).splitlines())} lines in bench.json"]
        elif kind == "peers":
            more = peers_table(read(os.path.join(self.out, "peers.json")))
        return (found or lines or ["it printed nothing"])[-1], more

    def run(self, step, seconds):
        reason = self.missing(step)
        if reason:
            return {"name": step, "status": "not run", "reason": reason, "seconds": 0, "headline": reason, "markdown": ""}
        command, log = self.command(step), os.path.join(self.work, f"{step}.log")
        # The JSON lines of the bench are a file of their own.
        lines = os.path.join(self.out, "bench.json") if step == "bench" else log
        environment = dict(os.environ, DOTNET_SYSTEM_GLOBALIZATION_INVARIANT="1", DOTNET_CLI_TELEMETRY_OPTOUT="1",
                           SA2VA_BACKENDS=self.backend, HF_HUB_OFFLINE="1")
        start, code, status = time.monotonic(), None, "passed"
        with open(lines, "ab") as target, open(log, "ab") as errors:
            try:
                process = subprocess.Popen(command, stdout=target, stderr=errors, stdin=subprocess.DEVNULL, env=environment,
                                           cwd=self.work, start_new_session=True)
                code = process.wait(timeout=seconds)
                status = "failed" if code else "passed"
            except subprocess.TimeoutExpired:
                status, code = "out of time", stop(process)
            except OSError as error:
                status = "failed"
                errors.write(f"{error}\n".encode())
        headline, markdown = self.headline(step, read(log))
        return {"name": step, "status": status, "exit": code, "seconds": round(time.monotonic() - start, 1),
                "limit_seconds": seconds, "command": " ".join(os.path.relpath(w, HERE) if w.startswith(HERE) else w for w in command),
                "headline": headline, "markdown": markdown}


def stop(process):
    """Ends a process and its children."""
    for signal_number in (signal.SIGTERM, signal.SIGKILL):
        os.killpg(process.pid, signal_number)
        try:
            return process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            continue
    return process.wait()


def read(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def peers_table(text):
    try:
        parts = json.loads(text)["parts"]
    except (ValueError, KeyError):
        return ""
    rows = ["| part | what | PyTorch, µs |", "| --- | --- | ---: |"]
    for part, content in parts.items():
        if "error" in content:
            rows.append(f"| {part} | not measured: {content['error'].replace('|', '/')} | |")
        rows += [f"| {part} | {what} | {value if isinstance(value, str) else format(value, '.1f')} |"
                 for what, value in content.get("results", {}).items()]
    return "\n".join(rows)


def markdown(summary):
    lines = ["# What a GPU gave", "",
             f"- date: {summary['date']}", f"- device: {summary['device']}, compute capability {summary['capability']}",
             f"- driver: {summary['driver'] or 'unknown'} (CUDA {summary['cuda']})", f"- commit: {summary['commit']}",
             f"- command: `{summary['command']}`", "", "| step | result | seconds | |", "| --- | --- | ---: | --- |"]
    lines += [f"| {s['name']} | {s['status']} | {s['seconds']} | {s['headline'].replace('|', '/')[:300]} |" for s in summary["steps"]]
    for step in summary["steps"]:
        if step["markdown"]:
            lines += ["", f"## {step['name']}: {dict((n, w) for n, _, w in STEPS)[step['name']]}", "", f"`{step['command']}`", "",
                      step["markdown"].strip()]
    return "\n".join(lines) + "\n"


def main():
    given = arguments()
    if given.device.startswith("cuda"):
        facts, reason = gpu(given.device)
        if reason:
            fail(f"nothing can be run here: {reason}")
    else:
        facts = {"device": f"{given.device} (simulated, no GPU)", "capability": "simulated", "memory_bytes": 0, "cuda": "simulated",
                 "driver": "none"}
    if not os.path.exists(os.path.join(BIN, "sa2va")):
        fail(f"{BIN} has no programs: pack them with scripts/gpu-check pack FILE")
    os.makedirs(given.out, exist_ok=True)
    summary = {"format": "sa2va-gpu-check/1", "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"), **facts,
               "commit": read(os.path.join(HERE, "commit")).strip() or "unknown", "command": " ".join(["./gpu-check/run", *sys.argv[1:]]),
               "processors": os.cpu_count(), "steps": []}
    with tempfile.TemporaryDirectory() as work:
        steps = Steps(given, work)
        for name, seconds, _ in STEPS:
            if name not in given.steps:
                continue
            print(f"{name}: at most {seconds * given.limit:.0f} s", flush=True)
            result = steps.run(name, seconds * given.limit)
            summary["steps"].append(result)
            print(f"{name}: {result['status']} after {result['seconds']} s: {result['headline']}", flush=True)
            # After each step, so that what is known is there if the machine goes.
            save(summary, given.out, work)
    return 0 if all(s["status"] == "passed" for s in summary["steps"]) else 1


def save(summary, out, work):
    with open(os.path.join(out, "summary.json"), "w", encoding="utf-8") as file:
        json.dump(summary, file, indent=1, ensure_ascii=False)
    with open(os.path.join(out, "results.md"), "w", encoding="utf-8") as file:
        file.write(markdown(summary))
    with tarfile.open(os.path.join(out, "logs.tar.gz"), "w:gz") as logs:
        for log in sorted(os.listdir(work)):
            logs.add(os.path.join(work, log), arcname=log)


if __name__ == "__main__":
    sys.exit(main())
