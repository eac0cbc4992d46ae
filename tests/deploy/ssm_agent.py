"""What the SSM service and its agent do with a Command document, as far as documents can tell: they
check parameters against the document, hand them over as text (agents before 3.3.2746.0) or as variables
(interpolationType ENV_VAR), run the script, and cut its output."""

import dataclasses
import json
import os
import re
import signal
import subprocess

STDOUT_MAX, STDERR_MAX, PLUGIN_MAX = 24000, 8000, 2500
REBOOT = 194


class InvalidParameters(ValueError):
    """SendCommand's answer to parameters that the document does not take."""


@dataclasses.dataclass
class Invocation:
    status: str
    code: int
    stdout: str  # of GetCommandInvocation
    stderr: str
    output: str  # of ListCommandInvocations with details

    @property
    def line(self):
        """The one line of JSON, whole in each of SSM's views."""
        lines = self.stdout.splitlines()
        assert len(lines) == 1, f"wanted one line:\n{self.stdout}\n{self.stderr}"
        assert len(self.stdout.encode()) <= 2000
        assert self.output.splitlines()[0] == lines[0]
        return json.loads(lines[0])


def take_parameters(document, given):
    wanted = document.get("parameters", {})
    unknown = set(given) - set(wanted)
    if unknown:
        raise InvalidParameters(f"not of the document: {sorted(unknown)}")
    taken = {}
    for name, rule in wanted.items():
        if name not in given and "default" not in rule:
            raise InvalidParameters(f"{name} is missing")
        value = given.get(name, rule.get("default"))
        if "allowedValues" in rule and value not in rule["allowedValues"]:
            raise InvalidParameters(f"{name}: {value!r}")
        # Java's find(), under which $ also stands before a last line feed.
        if "allowedPattern" in rule and not re.search(rule["allowedPattern"], value):
            raise InvalidParameters(f"{name}: {value!r}")
        taken[name] = value
    return taken


def script_of(document):
    (step,) = document["mainSteps"]
    assert step["action"] == "aws:runShellScript"
    return "\n".join(step["inputs"]["runCommand"])


def splice(script, values):
    """As text, whatever is in it: the danger of old agents."""
    for name, value in values.items():
        script = re.sub(r"\{\{ *" + name + r" *\}\}", lambda _, value=value: value, script)
    return script


def start(document, given, *, environment, old=False, checked=True, moved=None):
    """`checked` False: an attacker got past the patterns. `moved`: path in a script -> where it is."""
    values = take_parameters(document, given) if checked else {
        name: given.get(name, rule.get("default", ""))
        for name, rule in document.get("parameters", {}).items()}
    script, environment = script_of(document), dict(environment)
    if old:
        script = splice(script, values)
    else:
        environment.update({f"SSM_{name}": value for name, value in values.items()})
    for path, place in (moved or {}).items():
        script = script.replace(path, str(place))
    return subprocess.Popen(["/bin/sh", "-c", script], env=environment, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True,
                            errors="replace", start_new_session=True)


def cancel(process):
    """CancelCommand: the script and all that it has started in its process group."""
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def finish(process, timeout=60):
    out, err = process.communicate(timeout=timeout)
    code = process.returncode
    assert code != REBOOT, "SSM would reboot the node"
    output = out + (f"\n----------ERROR-------\n{err}" if err else "")
    return Invocation("Success" if code == 0 else "Failed", code, out[:STDOUT_MAX], err[:STDERR_MAX],
                      output[:PLUGIN_MAX])


def run(document, given, **options):
    return finish(start(document, given, **options))
