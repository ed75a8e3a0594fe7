#!/usr/bin/env python3
"""What PyTorch does on this GPU with the work of this engine, to compare with: products, attention, SAM 2.1-L, Qwen2-0.5B, copies.

    python3 gpu-check-peers.py FILE.json [--tiny] [--only linear,attention]

Weights and inputs are random, in bf16; times are medians in microseconds. Parts that fail are written down with the reason.
"""
import argparse
import inspect
import json
import statistics
import sys
import time

import torch
import torch.nn.functional as F

LIMIT = 100  # seconds for everything

# Rows, outputs, depth: the products of Sa2VA-1B and 4B (InternViT, Hiera-L, Qwen2) and two large ones.
LINEAR = [(4096, 4096, 1024), (8192, 8192, 8192), (1025, 3072, 1024), (1025, 1024, 1024), (1025, 4096, 1024), (1025, 1024, 4096),
          (5125, 4096, 1024), (65536, 432, 144), (65536, 576, 144), (65536, 144, 576), (16384, 864, 288), (16384, 1152, 288),
          (16384, 288, 1152), (4096, 1728, 576), (4096, 576, 576), (4096, 2304, 576), (4096, 576, 2304), (1024, 3456, 1152),
          (1024, 4608, 1152), (1024, 1152, 4608), (1325, 1152, 896), (1325, 4864, 896), (1325, 896, 4864), (1325, 2560, 2048),
          (1325, 2048, 2048), (1325, 11008, 2048), (1325, 2048, 11008), (1, 1152, 896), (1, 896, 896), (1, 9728, 896), (1, 896, 4864),
          (1, 151679, 896)]

# Name, batch, heads, queries, keys, head dim, value dim, causal. Heads of keys are as many as of queries.
ATTENTION = [("vision tower, 1 tile", 1, 16, 1025, 1025, 64, 64, False), ("vision tower, 5 tiles", 5, 16, 1025, 1025, 64, 64, False),
             ("Hiera stage 1 windows", 1024, 2, 64, 64, 72, 72, False), ("Hiera stage 2 windows", 1024, 4, 16, 16, 72, 72, False),
             ("Hiera stage 3 windows", 16, 8, 256, 256, 72, 72, False), ("Hiera stage 4 windows", 16, 16, 64, 64, 72, 72, False),
             ("Hiera block 2, pooled", 1024, 4, 16, 64, 72, 72, False), ("Hiera block 8, pooled", 1024, 8, 4, 16, 72, 72, False),
             ("Hiera global", 1, 8, 4096, 4096, 72, 72, False), ("prefill 0.5B, 1325", 1, 14, 1325, 1325, 64, 64, True),
             ("prefill 0.5B, 3368", 1, 14, 3368, 3368, 64, 64, True), ("prefill 3B, 1325", 1, 16, 1325, 1325, 128, 128, True),
             ("prefill 3B, 3368", 1, 16, 3368, 3368, 128, 128, True), ("memory self", 1, 1, 4096, 4096, 256, 256, False),
             ("memory cross", 1, 1, 4096, 28736, 256, 256, False), ("memory cross, 10 objects", 10, 1, 4096, 28736, 256, 256, False)]


class Bench:
    """Measures on a GPU by events around replays of a captured graph, or around calls; with --tiny on the processor."""

    def __init__(self, tiny):
        self.tiny, self.start = tiny, time.monotonic()
        self.device = torch.device("cpu" if tiny else "cuda")
        self.type = torch.bfloat16

    def left(self):
        return LIMIT - (time.monotonic() - self.start)

    def random(self, *shape, scale=1.0):
        return torch.empty(*shape, device=self.device, dtype=self.type).uniform_(-scale, scale)

    def times(self, call, runs):
        """Microseconds of each call."""
        if self.tiny:
            found = []
            for _ in range(runs):
                begin = time.perf_counter()
                call()
                found.append((time.perf_counter() - begin) * 1e6)
            return found
        events = [(torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)) for _ in range(runs)]
        for begin, end in events:
            begin.record()
            call()
            end.record()
        torch.cuda.synchronize()
        return [begin.elapsed_time(end) * 1e3 for begin, end in events]

    def eager(self, call, runs=10, warm=3):
        for _ in range(warm):
            call()
        return statistics.median(self.times(call, runs))

    def graph(self, call, replays=7):
        """A call's time when as many as fill 200 microseconds stand in one captured graph."""
        estimate = self.eager(call, 3)
        if self.tiny:
            return estimate
        many, replayed = max(1, min(40, int(200 / max(estimate, 1)))), torch.cuda.CUDAGraph()
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            call()
        torch.cuda.current_stream().wait_stream(stream)
        with torch.cuda.graph(replayed):
            for _ in range(many):
                call()
        replayed.replay()
        return statistics.median(self.times(replayed.replay, replays)) / many


def copies(bench):
    size = 1 << (12 if bench.tiny else 29)
    source = torch.zeros(size, dtype=torch.uint8, device=bench.device)
    target = torch.empty_like(source)
    time_of = bench.graph(lambda: target.copy_(source))
    return {f"copy of {size} bytes": time_of, "read and written": f"{2 * size / time_of / 1e6:.3f} TB/s"}


def linear(bench):
    found = {}
    for rows, outputs, depth in [(5, 8, 16)] if bench.tiny else LINEAR:
        x, w, bias = bench.random(rows, depth), bench.random(outputs, depth, scale=depth ** -0.5), bench.random(outputs)
        name = f"{rows}×{outputs}×{depth}"
        found[name] = bench.graph(lambda: F.linear(x, w, bias))
        # The GELU of Sa2VA's vision tower, image encoder and connectors.
        if outputs == 4 * depth and rows > 1:
            found[f"{name}, then GELU"] = bench.graph(lambda: F.gelu(F.linear(x, w, bias)))
    return found


def attention(bench):
    from torch.nn.attention import SDPBackend, sdpa_kernel
    backends = [SDPBackend.MATH] if bench.tiny else [SDPBackend.FLASH_ATTENTION, SDPBackend.CUDNN_ATTENTION, SDPBackend.EFFICIENT_ATTENTION]
    found = {}
    for name, batch, heads, queries, keys, dim, value_dim, causal in [("tiny", 1, 2, 5, 5, 8, 8, True)] if bench.tiny else ATTENTION:
        q, k = bench.random(batch, heads, queries, dim), bench.random(batch, heads, keys, dim)
        v = bench.random(batch, heads, keys, value_dim)
        best = None
        for backend in backends:
            try:
                with sdpa_kernel(backend):
                    time_of = bench.graph(lambda: F.scaled_dot_product_attention(q, k, v, is_causal=causal))
            except RuntimeError:
                continue  # this backend has no kernel for these shapes
            if best is None or time_of < best[0]:
                best = time_of, backend.name
        if best is None:
            found[name] = "no backend has a kernel"
        else:
            found[f"{name}: {best[1].lower()}"] = best[0]
    return found


def sam_model(bench):
    from transformers import Sam2HieraDetConfig, Sam2VideoConfig, Sam2VideoModel, Sam2VisionConfig
    backbone = Sam2HieraDetConfig(
        hidden_size=144, num_attention_heads=2, blocks_per_stage=[2, 6, 36, 4], embed_dim_per_stage=[144, 288, 576, 1152],
        num_attention_heads_per_stage=[2, 4, 8, 16], window_size_per_stage=[8, 4, 16, 8], global_attention_blocks=[23, 33, 43],
        window_positional_embedding_background_size=[7, 7])
    if bench.tiny:
        backbone.blocks_per_stage, backbone.global_attention_blocks = [1, 1, 1, 1], [2]
    vision = Sam2VisionConfig(backbone_config=backbone, backbone_channel_list=[1152, 576, 288, 144])
    return Sam2VideoModel(Sam2VideoConfig(vision_config=vision)).to(bench.device, bench.type).eval()


def sam(bench):
    model, found = sam_model(bench), {}
    picture = bench.random(1, 3, 1024, 1024)
    runs, warm = (1, 0) if bench.tiny else (10, 3)
    found["image encoder, 1024², eager"] = bench.eager(lambda: model.vision_encoder(picture), runs, warm)
    found.update(tracked_frames(bench, model))
    found["image encoder, 1024², CUDA graph"] = captured(bench, lambda: model.vision_encoder(picture))
    return found


def tracked_frames(bench, model):
    """Frames behind a full bank: seven memories, sixteen pointers."""
    from transformers.models.sam2_video.modeling_sam2_video import Sam2VideoInferenceSession
    frames, full = (3, 1) if bench.tiny else (32, 18)
    session = Sam2VideoInferenceSession(
        video=bench.random(frames, 3, 1024, 1024), video_height=720, video_width=1280, inference_device=bench.device,
        inference_state_device=bench.device, video_storage_device=bench.device, dtype=bench.type)
    index = session.obj_id_to_idx(1)
    session.add_point_inputs(index, 0, {"point_coords": torch.full((1, 1, 1, 2), 512.0, device=bench.device),
                                        "point_labels": torch.ones((1, 1, 1), dtype=torch.int32, device=bench.device)})
    session.obj_with_new_inputs = [1]
    step = iter(range(frames))
    for _ in range(full):
        model(inference_session=session, frame_idx=next(step))
    times = bench.times(lambda: model(inference_session=session, frame_idx=next(step)), frames - full)
    return {"tracked frame, 1 object, full bank, eager": statistics.median(times)}


def language(bench):
    from transformers import Qwen2Config, Qwen2ForCausalLM
    sizes = dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, intermediate_size=64, vocab_size=100) \
        if bench.tiny else dict(hidden_size=896, num_hidden_layers=24, num_attention_heads=14, num_key_value_heads=2,
                                intermediate_size=4864, vocab_size=151679)
    config = Qwen2Config(**sizes, max_position_embeddings=4096, tie_word_embeddings=False)
    with torch.device(bench.device):
        model = Qwen2ForCausalLM(config)
    model = model.to(bench.device, bench.type).eval()
    prompt, tokens = (7, 3) if bench.tiny else (1325, 24)
    ids = torch.randint(0, config.vocab_size, (1, prompt), device=bench.device)
    found = {f"prefill {prompt}, eager": bench.eager(lambda: model(input_ids=ids, use_cache=True, logits_to_keep=1), 5)}
    try:
        found["decoded token, static cache in a CUDA graph"] = decode_step(bench, model, prompt, tokens)
    except Exception as error:  # what a cache takes differs from version to version
        found["decoded token, static cache in a CUDA graph"] = f"not measured: {first_line(error)}"
    options = dict(do_sample=False, min_new_tokens=tokens, max_new_tokens=tokens, attention_mask=torch.ones_like(ids), pad_token_id=0)
    whole, first = (bench.eager(lambda n=n: model.generate(ids, **{**options, "min_new_tokens": n, "max_new_tokens": n}), 2, 1)
                    for n in (tokens, 1))
    found["decoded token, generate"] = (whole - first) / (tokens - 1)
    found[f"prefill {prompt}, CUDA graph"] = captured(bench, lambda: model(input_ids=ids, use_cache=False, logits_to_keep=1))
    return found


def decode_step(bench, model, prompt, tokens):
    from transformers import StaticCache
    names, room = inspect.signature(StaticCache.__init__).parameters, prompt + 4 * tokens + 8
    extra = dict(max_batch_size=1, device=bench.device, dtype=bench.type)
    cache = StaticCache(config=model.config, max_cache_len=room, **{k: v for k, v in extra.items() if k in names})
    token = torch.zeros((1, 1), dtype=torch.long, device=bench.device)
    place = torch.full((1,), prompt, dtype=torch.long, device=bench.device)
    ids = torch.zeros((1, prompt), dtype=torch.long, device=bench.device)
    takes_place = "cache_position" in inspect.signature(model.forward).parameters

    def step():
        given = dict(cache_position=place) if takes_place else {}
        logits = model(input_ids=token, position_ids=place.unsqueeze(0), past_key_values=cache, use_cache=True, **given).logits
        token.copy_(logits[:, -1:].argmax(-1))
        place.add_(1)

    given = dict(cache_position=torch.arange(prompt, device=bench.device)) if takes_place else {}
    model(input_ids=ids, past_key_values=cache, use_cache=True, logits_to_keep=1, **given)
    step()
    if bench.tiny:
        return statistics.median(bench.times(step, tokens))
    graph, stream = torch.cuda.CUDAGraph(), torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        step()
    torch.cuda.current_stream().wait_stream(stream)
    with torch.cuda.graph(graph):
        step()
    place.fill_(prompt)
    return statistics.median(bench.times(graph.replay, 2 * tokens))


def captured(bench, call):
    """The time in a graph, or why there is none: comes last in a part, since a capture that fails may leave traces."""
    try:
        return bench.graph(call)
    except RuntimeError as error:
        return f"not captured: {first_line(error)}"


def first_line(error):
    return f"{type(error).__name__}: {str(error).strip()[:200]}".split("\n")[0]


PARTS = {"copies": copies, "linear": linear, "attention": attention, "sam": sam, "language": language}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", metavar="FILE.json")
    parser.add_argument("--tiny", action="store_true", help="small shapes on the processor, to try this script without a GPU")
    parser.add_argument("--only", default=",".join(PARTS), metavar="LIST", help="only these parts")
    given = parser.parse_args()
    if not given.tiny and not torch.cuda.is_available():
        print("peers: PyTorch finds no GPU here; --tiny tries the script on the processor", file=sys.stderr)
        return 2
    bench = Bench(given.tiny)
    report = {"format": "sa2va-gpu-peers/1", "torch": torch.__version__, "transformers": version("transformers"),
              "device": "cpu" if given.tiny else torch.cuda.get_device_name(), "parts": {}}
    with torch.inference_mode():
        for name, part in PARTS.items():
            if name not in given.only.split(","):
                continue
            begin, entry = time.monotonic(), {}
            if bench.left() < 5:
                entry["error"] = "no time was left"
            else:
                try:
                    entry["results"] = part(bench)
                except Exception as error:  # one part that fails spoils no other
                    entry["error"] = first_line(error)
            entry["seconds"] = round(time.monotonic() - begin, 1)
            report["parts"][name] = entry
            print(f"{name}: {entry['seconds']} s{', ' + entry['error'] if 'error' in entry else ''}", flush=True)
            with open(given.file, "w", encoding="utf-8") as file:
                json.dump(report, file, indent=1, ensure_ascii=False)
    failed = [name for name, entry in report["parts"].items() if "error" in entry]
    print(f"peers: {len(report['parts']) - len(failed)} of {len(report['parts'])} parts measured on {report['device']}"
          + (f", not {', '.join(failed)}" if failed else ""))
    return 1 if failed else 0


def version(package):
    try:
        return __import__(package).__version__
    except ImportError:
        return None


if __name__ == "__main__":
    sys.exit(main())
