"""The command line: `optimai COMMAND`. Each command lives in a module of its own, loaded when it is called."""

import signal
import sys

from cyclopts import App

from optimai.core.errors import OptimaiError

app = App(
    name="optimai",
    help="An open network that turns idle machines, browsers and people into one AI data factory.",
    version_flags=["--version"],
)
app.command("optimai.cli.run:run")
app.command("optimai.cli.run:cancel")
app.command("optimai.cli.get:get")
app.command("optimai.cli.verify:verify")
app.command("optimai.cli.show:status")
app.command("optimai.cli.show:trace")
app.command("optimai.cli.show:pay")
app.command("optimai.cli.money:deposit")
app.command("optimai.cli.money:withdraw")
app.command("optimai.cli.money:leave")
app.command("optimai.cli.money:token")
app.command("optimai.cli.estimate:estimate")
app.command("optimai.cli.demo:demo")
app.command("optimai.cli.sim:sim")
app.command("optimai.cli.up:up")
app.command("optimai.cli.join:join")
app.command("optimai.cli.join:pause")
app.command("optimai.cli.join:resume")
node = App(name="node", help="Of the node on this machine: what it does just now.")
node.command("optimai.cli.show:node_status", name="status")
app.command(node)
of_kinds = App(
    name="kind", help="For authors of kinds of work: begin one, see whether it keeps to the contract."
)
of_kinds.command("optimai.cli.kind:new")
of_kinds.command("optimai.cli.kind:check")
app.command(of_kinds)
of_truth = App(name="truth", help="Of votes: what is true where several people said what they think.")
of_truth.command("optimai.cli.truth:infer")
app.command(of_truth)


def main() -> None:
    """Whatever is wrong is one sentence that says what to do; a traceback is a defect of ours."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # being told to stop is Ctrl-C: all is put away
    if len(sys.argv) == 1 or sys.argv[-1] in ("--help", "-h", "node", "kind", "truth"):
        for group in app, node, of_kinds, of_truth:
            group.resolved_commands()  # what each says of itself stands beside its code
    try:
        app()
    except OptimaiError as fault:
        print(f"{fault.code}: {fault}", file=sys.stderr)
        sys.exit(1 if fault.fault == "ours" else 2)
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # all is put away: one more of them changes nothing
        sys.exit(130)
