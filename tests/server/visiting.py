"""A browser without JavaScript: it follows links and redirects, keeps cookies, and sends forms."""

import http.cookiejar
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urlencode, urljoin

VOID = {"input", "meta", "link", "br", "img", "hr"}  # tags that have no end


@dataclass
class Form:
    """A form, with what it would send if nobody entered anything."""

    action: str
    fields: dict = field(default_factory=dict)
    names: set = field(default_factory=set)


class Page(HTMLParser):
    """What a visitor sees."""

    def __init__(self, status, address, html, headers):
        super().__init__()
        self.status, self.address, self.html, self.headers = status, address, html, headers
        self.forms, self.text, self.alerts, self.statuses = [], "", [], []
        self._roles = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        if tag == "form":
            self.forms.append(Form(urljoin(self.address, attributes.get("action", ""))))
        elif tag in {"input", "select", "textarea", "button"} and "name" in attributes:
            self._take(tag, attributes)
        if tag not in VOID:
            self._roles.append(attributes.get("role"))
            if attributes.get("role") in {"alert", "status"}:
                (self.alerts if attributes["role"] == "alert" else self.statuses).append("")

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag):
        self._roles.pop()

    def handle_data(self, data):
        self.text += data
        if "alert" in self._roles:
            self.alerts[-1] += data
        if "status" in self._roles:
            self.statuses[-1] += data

    def _take(self, tag, attributes):
        form, name = self.forms[-1], attributes["name"]
        form.names.add(name)
        if tag == "input" and attributes.get("type") != "checkbox":
            form.fields[name] = attributes.get("value", "")


class Visitor:
    """A person with such a browser."""

    def __init__(self, address):
        self.address = address
        self.cookies = http.cookiejar.CookieJar()
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self.cookies))

    def visit(self, path="", data=None, **headers):
        """Open a page."""
        body = None if data is None else urlencode(data, doseq=True).encode()
        request = urllib.request.Request(urljoin(self.address, path), data=body, headers=headers)
        try:
            with self._opener.open(request, timeout=30) as answer:
                return Page(answer.status, answer.url, answer.read().decode(), answer.headers)
        except urllib.error.HTTPError as refused:
            with refused:
                return Page(refused.code, refused.url, refused.read().decode(), refused.headers)

    def send(self, form, *, without=(), **entered):
        """Send a form with what was entered."""
        data = {**form.fields, **{name.replace("_", "-"): each for name, each in entered.items()}}
        return self.visit(form.action, {name: each for name, each in data.items() if name not in without})
