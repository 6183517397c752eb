"""Training: shapes, shardings, parameters, restore, and the loop."""

import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import jax
from jax.experimental import multihost_utils
from jax.sharding import Mesh
from ml_collections import ConfigDict

from jaxcap.checkpoint import BEST_BY
from jaxcap.data.pipeline import left_out, train_batches, trouble
from jaxcap.evaluate import Evaluation, write
from jaxcap.experiment import Experiment
from jaxcap.log import Bar, console
from jaxcap.partition import check_batch, rows_here, to_devices
from jaxcap.reconstructions import draw_reconstructions
from jaxcap.run import Run
from jaxcap.sampler import Sampler
from jaxcap.samples import draw_samples
from jaxcap.state import TrainState
from jaxcap.summary import print_parameters, print_program
from jaxcap.tracer import Tracer
from jaxcap.train_step import make_step, trace_step
from jaxcap.watch import Clock, Window
from jaxcap.writers import Writers, check_writers

RECONSTRUCTED = 16  # images in reconstructions.png


def train(config: ConfigDict, workdir: str | Path) -> bool:
    """Train the run in `workdir` to its last step, from wherever it stands.

    SIGTERM saves and ends it cleanly; the same call goes on, bit for bit.

    Returns:
      Whether the run has all of its steps; if not, it was stopped.

    Raises:
      UserError: a mistake in the config, a loss that is no longer finite, or drawn captions that
        are past the bounds of the objective.
    """
    run = Run(workdir)
    experiment = Experiment.open(config, run)
    config, mesh = experiment.config, experiment.mesh
    check_batch(config.batch_size, mesh, config.accumulate)
    check_batch(config.eval.batch_size, mesh, name="eval.batch_size")
    check_writers(config.writers)
    with jax.set_mesh(mesh):
        # Shapes before arrays: a state is only made where it will lie. Then, in this order:
        # 1. a run that has a checkpoint goes on from it, whatever else the config says;
        # 2. or the parameters of another run, or published ones, take the place of fresh ones;
        # 3. or the parameters are fresh.
        latest = run.latest_step()
        if latest is None:
            state, report = experiment.fresh_state()
            for line in report.lines() if report.loaded else ():
                console.print(f"Started   {line}")
        else:
            state = experiment.restore(run, latest)
        print_parameters(state)
        if config.data.cache:
            experiment.keep_memories(state.variables())
        # Opens the evaluation data too: what is wrong with either shows now, not after hours.
        console.print(f"Search    {experiment.search.signature()}")
        run.save_config(config)  # not before all of it is known to be right for the run
        if latest is not None:
            console.print(f"Going on from step {latest} of {run.path}")
        first = 0 if latest is None else latest + 1
        with Writers(run.path, first, config.writers) as writers:
            if latest is None and config.init_from:  # it may be the best there will be
                _evaluate(experiment, run, state, 0, writers, whole=False)
            elif latest is None:
                run.save(state)  # so that there is always something to go back to
            done = _loop(experiment, run, state, mesh, writers)
            run.wait()  # what follows may be as slow as the network is
    return done


def _loop(
    experiment: Experiment, run: Run, state: TrainState, mesh: Mesh, writers: Writers
) -> bool:
    config, start = experiment.config, int(state.step)
    example, sampler = experiment.train_example(), Sampler(experiment)
    batches = train_batches(
        example,
        batch_size=config.batch_size,
        seed=config.seed,
        start=start,
        workers=config.data.workers,
        rows=rows_here(config.batch_size, mesh),
    )
    parts = (experiment.model, config, experiment.optimizer, experiment.tokenizer)
    step_function = make_step(*parts, experiment.reward)
    captions = config.objective.samples or config.data.captions
    compiled, clock, window = None, Clock(), Window(start)
    lost: list[int] = []  # images of this process since the last look
    tracer = Tracer(run.path / "profile", start, config.profile)
    with closing(batches), _sigterm() as stops, Bar(start, config.steps) as bar, closing(tracer):
        for step in range(start + 1, config.steps + 1):
            tracer.before(step, state)
            with clock.waiting(state.step):
                rows = next(batches)
                batch = to_devices(rows, mesh)
            lost += left_out(rows)
            if compiled is None:
                traced = trace_step(step_function, state, batch)
                compiled = traced.lower().compile()
                print_program(traced, compiled, mesh, config.batch_size)
                clock.reset()
            with jax.profiler.StepTraceAnnotation("train", step_num=step):
                state, metrics = compiled(state, batch)
            window.add(metrics)
            bar.step(step)

            last = step == config.steps
            stopping = stops(step)  # asked once a step: what it answers is what is done
            due = {
                "log": step % config.log_every == 0 or last,
                "eval": step % config.eval.every == 0 or last,
                "save": step % config.checkpoint_every == 0 or last or stopping,
            }
            if any(due.values()):
                if lost:
                    first = trouble(example.view, example.source, lost[0])
                    console.print(f"  {len(lost)} unreadable images; the first: {first}")
                numbers = window.close(step, run, config.objective)  # may end the run
                numbers |= clock.read(len(window) * config.batch_size, captions)
                writers.scalars(step, numbers)
                bar.show(step, numbers, clock.seconds_a_step(len(window)) * (config.steps - step))
                window, lost = Window(step), []
            if due["eval"]:
                _evaluate(experiment, run, state, step, writers, whole=last)
                if config.writers:  # by all processes, as below
                    writers.samples(step, sampler(state.variables()))
            elif due["save"]:
                run.save(state)
            if (due["eval"] or due["save"]) and not stopping:
                _reconstruct(experiment, run, state)
            if any(due.values()):
                clock.reset()
            if stopping:
                run.wait()
                console.print(f"Stopped by SIGTERM; saved step {step}. The same command goes on.")
                return last
    if start >= config.steps:
        console.print(f"Nothing to train: the run has all of its {config.steps} steps.")
    return True


def _evaluate(
    experiment: Experiment, run: Run, state: TrainState, step: int, writers: Writers, whole: bool
) -> None:
    """Score the state, and save it with its score."""
    images = experiment.config.eval.images

    def scored(images: int, also: Sequence[str] = ()) -> Evaluation:
        return experiment.evaluate(state.variables(), step, images=images, also=also)

    found = scored(0, ("METEOR",)) if whole else scored(images)
    writers.scalars(step, {f"eval/{name}": number for name, number in found.scores.items()})
    if jax.process_index() == 0:
        print_scores(found, step)
        if whole:
            write(found, run.path)
            draw_samples(found, experiment.eval_example, run.path / "samples.png")
    # Whether a checkpoint is the best is asked of the same images each time.
    ranked = scored(images) if whole and images else found
    run.save(state, {BEST_BY: ranked.scores[BEST_BY]})


def _reconstruct(experiment: Experiment, run: Run, state: TrainState) -> None:
    if experiment.reconstructs:  # by all processes: the parameters may lie on all of them
        drawn = experiment.reconstructions(state.variables(), RECONSTRUCTED)
        if jax.process_index() == 0:
            draw_reconstructions(*drawn, run.path / "reconstructions.png")


def print_scores(found: Evaluation, step: int | None = None) -> None:
    """A few captions, the scores, and their signature."""
    at = "" if step is None else f" at step {step}"
    for image, caption in list(found.predictions.items())[:4]:
        console.print(f"  {image}: {caption}")
    numbers = "  ".join(f"{name} {number:.3f}" for name, number in found.scores.items())
    checks = "  ".join(f"{name} {number:.3f}" for name, number in found.checks.items())
    console.print(f"Evaluation{at}: {numbers}")
    console.print(f"  {checks}\n  {found.signature}")
    for name, why in found.lacking.items():
        console.print(f"  {name} not computed ({why})")
    if found.unreadable:
        first = next(iter(found.unreadable.values()))
        console.print(
            f"  {len(found.unreadable)} unreadable images, in no score; the first: {first}"
        )


@contextmanager
def _sigterm() -> Iterator[Callable[[int], bool]]:
    """Whether a step is to be the last one, for there was a SIGTERM, which kills no process then.

    Of several processes not all may have got it: JAX finds the step that all of them end after.
    """
    if jax.process_count() > 1:
        yield multihost_utils.reached_preemption_sync_point
        return
    stop = threading.Event()
    before = signal.getsignal(signal.SIGTERM)
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, lambda *_: stop.set())
    try:
        yield lambda _: stop.is_set()
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, before)
