"""What devices send each other, of programs whose collectives are known."""

from functools import partial

import jax
import jax.numpy as jnp
import pytest
from jax.sharding import PartitionSpec as P

from jaxcap.ahead.collectives import Collective, collectives
from jaxcap.partition import make_mesh

ROW = 16 * 4  # bytes of a device's part


def found(work, mesh):
    """Of the work of each device on its row of 16 numbers."""
    rows = P(("data", "fsdp"))
    mapped = jax.shard_map(work, mesh=mesh, in_specs=rows, out_specs=rows, check_vma=False)
    x = jnp.ones((mesh.size, 16))
    return collectives(jax.jit(mapped).lower(x).compile().as_text(), mesh.size)


@pytest.mark.parametrize(
    ("work", "expected", "sent"),
    [
        (partial(jax.lax.psum, axis_name="data"), ("all-reduce", ROW, 8, 1), 2 * ROW * 7 / 8),
        (
            partial(jax.lax.all_gather, axis_name="data", axis=0, tiled=True),
            ("all-gather", 8 * ROW, 8, 1),
            7 * ROW,
        ),
        (
            partial(jax.lax.psum_scatter, axis_name="data", scatter_dimension=1, tiled=True),
            ("reduce-scatter", ROW, 8, 1),
            ROW * 7 / 8,
        ),
        (
            partial(jax.lax.ppermute, axis_name="data", perm=[(i, (i + 1) % 8) for i in range(8)]),
            ("collective-permute", ROW, 8, 1),
            ROW,
        ),
    ],
)
def test_each_kind(work, expected, sent):
    (each,) = found(work, make_mesh({"data": 8}))
    assert each == Collective(*expected)
    assert each.sent == sent


def test_a_part_of_the_mesh():
    (each,) = found(partial(jax.lax.psum, axis_name="fsdp"), make_mesh({"data": 2, "fsdp": 4}))
    assert (each.kind, each.group) == ("all-reduce", 4)


def test_in_a_loop_it_counts_as_often_as_that_goes_round():
    def work(x):
        def round(x, _):
            return 0.5 * jax.lax.psum(x, "data"), None

        return jax.lax.scan(round, x, length=5)[0]

    (each,) = found(work, make_mesh({"data": 8}))
    assert each == Collective("all-reduce", ROW, 8, 5)
    assert each.sent == 5 * 2 * ROW * 7 / 8


TPU = """
HloModule jit_step

%add (x: f32[], y: f32[]) -> f32[] {
  ROOT %sum = f32[] add(%x, %y)
}

%more (state: (s32[], bf16[8,128])) -> pred[] {
  %limit = s32[]{:T(128)} constant(12)
  ROOT %lt = pred[]{:T(512)} compare(%counter, %limit), direction=LT
}

%layer (state: (s32[], bf16[8,128])) -> (s32[], bf16[8,128]) {
  %start = (bf16[1,128]{1,0:T(8,128)}, bf16[8,128]{1,0}) all-gather-start(%w), GROUPS
  %done = bf16[8,128]{1,0} all-gather-done(%start)
}

%few (at: (f32[8], u32[])) -> pred[] {
  %most = u32[]{:T(128)} constant(8)
  %there = u32[]{:T(128)} get-tuple-element(%at), index=1
  ROOT %below = pred[]{:T(512)} compare(%there, %most), direction=LT
}

%round (at: (f32[8], u32[])) -> (f32[8], u32[]) {
  %two = u32[]{:T(128)} constant(2)
  %now = u32[]{:T(128)} get-tuple-element(%at), index=1
  %on = f32[8]{0} collective-permute(%x), source_target_pairs={{0,1},{1,0}}
  %next = u32[]{:T(128)} add(%now, %two)
  ROOT %both.1 = (f32[8]{0}, u32[]{:T(128)}) tuple(%on, /*index=1*/%next)
}

%called (a: f32[]) -> f32[] {
  ROOT %moved = f32[] collective-permute(%a), source_target_pairs={{0,1},{1,0}}
}

%fused.1 (w: bf16[1,128]) -> (bf16[1,128], bf16[16,128], u32[]) {
  %begun = bf16[16,128]{1,0} all-gather(%w), channel_id=2, DEVICES, dimensions={0}
  ROOT %sent = (bf16[16,128], u32[]) custom-call(%begun), custom_call_target="AsyncCollectiveStart"
}

%async_collective_fusion.2 (w: bf16[1,128], x: bf16[8,8]) -> (bf16[8,8], u32[]) {
  %beside = bf16[16,128]{1,0} all-gather(%w), channel_id=2, DEVICES, dimensions={0}
  ROOT %both = (bf16[8,8], u32[]) tuple(%x, %n)
}

%fused.3 (w: bf16[1,128], n: u32[]) -> bf16[16,128] {
  %ended = bf16[16,128]{1,0} all-gather(%w), channel_id=2, DEVICES, dimensions={0}
  ROOT %there = bf16[16,128] custom-call(%ended), custom_call_target="AsyncCollectiveDone"
}

%all-reduce-scatter.4.clone (g: f32[16,4]) -> f32[4,4] {
  %whole = f32[16,4]{1,0} all-reduce(%g), replica_groups={{0,1,2,3},{4,5,6,7}}, to_apply=%add
  ROOT %mine = f32[4,4]{1,0} dynamic-slice(%whole, %id, %zero), dynamic_slice_sizes={4,4}
}

ENTRY %main (p: bf16[8,128]) -> bf16[8,128] {
  %a0 = (bf16[1,128], bf16[16,128], u32[]) fusion(%w), kind=kCustom, calls=%fused.1
  %a1 = (bf16[8,8], u32[]) fusion(%w, %x), kind=kOutput, calls=%async_collective_fusion.2
  %a2 = bf16[16,128] fusion(%w, %n), kind=kCustom, calls=%fused.3
  %rs = f32[4,4] fusion(%g), kind=kCustom, calls=%all-reduce-scatter.4.clone
  %loop = (s32[]{:T(128)}, bf16[8,128]{1,0}) while(%tuple), condition=%more, body=%layer
  %go = f32[] call(%a), to_apply=%called
  %ring = (f32[8], u32[]) while(%begin), condition=%few, body=%round
  %both = (f32[4,4]{1,0:T(4,128)}, f32[]) all-reduce(%a, %b), AXES, to_apply=%add
  ROOT %alone = f32[2]{0} all-reduce(%c), replica_groups={{0},{1}}, to_apply=%add
}
"""
for name, groups in {
    "GROUPS": "[2,8]<=[16]",
    "AXES": "mesh['x'=4,'y'=4] {'y'}",
    "DEVICES": "mesh['x'=1,'y'=2,'z'=8], device_ids=([8,2]T(1,0)) {'y','z'}",
}.items():
    TPU = TPU.replace(name, f"replica_groups={groups}")


def test_the_dialect_of_tpus():
    beside, scattered, gathered, moved, passed, reduced = collectives(TPU, 16)
    assert passed == Collective("collective-permute", 8 * 4, 16, 4)
    assert beside == Collective("all-gather", 16 * 128 * 2, 16, 1)
    assert scattered == Collective("reduce-scatter", 16 * 4 * 4, 4, 1)
    assert scattered.sent == 16 * 4 * 4 * 3 / 4
    assert (moved.kind, moved.sent) == ("collective-permute", 4)
    assert gathered == Collective("all-gather", 8 * 128 * 2, 8, 12)
    assert reduced == Collective("all-reduce", 4 * 4 * 4 + 4, 4, 1)
