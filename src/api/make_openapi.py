"""Makes of openapi.yaml what the server serves: the document as JSON, and a page to read; both as constants of C++.

make_openapi.py openapi.yaml docs.html docs.css FOLDER writes openapi.json, docs.html and openapi_data.cc there.
"""

import base64
import hashlib
import json
import pathlib
import sys

import jinja2
import markdown
import yaml


def load(path):
    document = yaml.safe_load(path.read_text())
    document.pop("x-anchors")  # they have been merged into where they are used
    return document


def render_page(document, template, style):
    def resolve(node):
        while isinstance(node, dict) and "$ref" in node:
            target = document
            for name in node["$ref"].removeprefix("#/").split("/"):
                target = target[name.replace("~1", "/").replace("~0", "~")]
            node = target
        return node

    def to_html(text):
        return jinja2.utils.markupsafe.Markup(markdown.markdown(text, extensions=["fenced_code", "sane_lists"]))

    def inline(text):  # without the paragraph around it
        return to_html(text)[len("<p>") : -len("</p>")]

    def operations(tag):
        for path, item in document["paths"].items():
            for method, operation in item.items():
                if method != "parameters" and tag in operation["tags"]:
                    parameters = [resolve(p) for p in item.get("parameters", []) + operation.get("parameters", [])]
                    yield {"path": path, "method": method, "parameters": parameters, "it": operation}

    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    environment.filters.update(
        markdown=to_html, inline=inline, resolve=resolve, json=lambda value: json.dumps(value, indent=2, ensure_ascii=False)
    )
    return environment.from_string(template).render(
        document=document, operations=operations, style=jinja2.utils.markupsafe.Markup(style)
    )


def constant(name, text):
    assert ')openapi"' not in text
    return f'const std::string_view {name} = R"openapi({text})openapi";\n'


def digest(text):
    return hashlib.sha256(text.encode())


def main():
    source, template, style, folder = map(pathlib.Path, sys.argv[1:])
    document = load(source)
    contract = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    style_text = style.read_text()
    page = render_page(document, template.read_text(), style_text)
    style_hash = base64.b64encode(digest(style_text).digest()).decode()
    policy = (
        f"default-src 'none'; style-src 'sha256-{style_hash}'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    )
    (folder / "openapi.json").write_text(contract)
    (folder / "docs.html").write_text(page)
    (folder / "openapi_data.cc").write_text(
        '#include "api/openapi_data.h"\n\nnamespace hansard::api {\n\n'
        + constant("kContract", contract)
        + constant("kContractETag", f'"{digest(contract).hexdigest()[:16]}"')
        + constant("kPage", page)
        + constant("kPageETag", f'"{digest(page).hexdigest()[:16]}"')
        + constant("kPagePolicy", policy)
        + "\n}  // namespace hansard::api\n"
    )


main()
