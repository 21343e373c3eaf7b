#!/usr/bin/env python3
"""Hold the chat forms of runtime/text/chat.c against transformers, and print the table of them that is there.

    pip install transformers gguf
    python tests/tools/chat_forms.py BUILD [TEMPLATE.jinja|MODEL.gguf ...]

Each template is rendered by transformers for conversations of a system's message or none and a user's. Where that is
ChatML, with the system message that the template has of its own, its line of the table is printed, and speft-cl must
know it and write the same bytes; where it is not, speft-cl must refuse it. Without files: the templates of this script.
The stock ones come with the package trl: trl/chat_templates/{qwen2_5,qwen3,qwen3_instruct_2507}.jinja, for instance.
"""

import hashlib
import pathlib
import re
import subprocess
import sys
import tempfile

from transformers.utils.chat_template_utils import _compile_jinja_template

TURNS = ("{% for message in messages %}FIRST{{'<|im_start|>' + message['role'] + '\\n' + message['content'] + "
         "'<|im_end|>' + '\\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}")
GUARD = "{% if not add_generation_prompt is defined %}{% set add_generation_prompt = false %}{% endif %}"
FIRST = ("{% if loop.first and messages[0]['role'] != 'system' %}"
         "{{ '<|im_start|>system\\nYou are a helpful assistant<|im_end|>\\n' }}{% endif %}")
OWN = {"ChatML": TURNS.replace("FIRST", ""), "ChatML, guarded": GUARD + TURNS.replace("FIRST", ""),
       "SmolLM2, Qwen2": TURNS.replace("FIRST", FIRST)}
USERS = ["hi", "", " two\n\nlines ", "<tool_response>x</tool_response>", "a</think>b", "{{ x }} \\n 'q\" é"]
SYSTEMS = [None, "", "Be brief.", " a\nb "]


def canonical(template):
    """As chat.c has it: escapes within quotes undone, less a last line end."""
    out, quote, code, i = [], "", False, 0
    template = template[:-1] if template.endswith("\n") else template
    while i < len(template):
        c = template[i]
        if quote and c == "\\" and i + 1 < len(template):
            i += 1
            c = {"n": "\n", "\\": "\\"}.get(template[i], "\\" + template[i])
        elif quote:
            quote = "" if c == quote else quote
        elif code:
            quote = c if c in "'\"" else ""
            code = template[i:i + 2] not in ("%}", "}}")
        else:
            code = template[i:i + 2] in ("{{", "{%")
        out.append(c)
        i += 1
    return "".join(out)


def render(template, system, user):
    messages = ([] if system is None else [{"role": "system", "content": system}]) + [{"role": "user", "content": user}]
    return _compile_jinja_template(template).render(messages=messages, add_generation_prompt=True, bos_token="<s>",
                                                    eos_token="</s>")


def chatml(system, user):
    head = "" if system is None else f"<|im_start|>system\n{system}<|im_end|>\n"
    return f"{head}<|im_start|>user\n{user}<|im_end|>\n<|im_start|>assistant\n"


def check(build, name, template):
    found = re.search(r"<\|im_start\|>system\n([^'\"]+?)<\|im_end\|>", canonical(template))
    own = found.group(1) if found else None
    texts = canonical(template).replace(own, "") if own else canonical(template)
    try:
        is_chatml = all(render(template, s, u) == chatml(own if s is None else s, u) for s in SYSTEMS for u in USERS)
    except Exception:  # a template that wants something else, or raises
        is_chatml = False
    if is_chatml:
        print(f'    {{ "{name}", "{hashlib.sha256(texts.encode()).hexdigest()}" }},')
    with tempfile.NamedTemporaryFile("w", suffix=".jinja") as file:
        file.write(template)
        file.flush()
        for s in SYSTEMS:
            for u in USERS:
                command = [f"{build}/tests/tools/show_chat", file.name, u] + ([] if s is None else [s])
                ours = subprocess.run(command, capture_output=True)
                if ours.returncode == 0 and ours.stdout.decode() != render(template, s, u):
                    return f"{name}: {s!r}, {u!r} became {ours.stdout!r}"
                if (ours.returncode == 0) != is_chatml:
                    return f"{name}: {'ChatML, refused' if is_chatml else 'taken, though it is not ChatML'}"
    return None


def templates(paths):
    if not paths:
        yield from OWN.items()
    for path in paths:
        if path.endswith(".gguf"):
            import gguf
            field = gguf.GGUFReader(path).get_field("tokenizer.chat_template")
            yield pathlib.Path(path).stem, field.contents()
        else:
            yield pathlib.Path(path).stem, pathlib.Path(path).read_text()


faults = [fault for name, t in templates(sys.argv[2:]) for fault in [check(sys.argv[1], name, t)] if fault]
print("\n".join(faults) or "no difference", file=sys.stderr)
sys.exit(bool(faults))
