"""From a prompt to a model's tokens, such that a visitor's text never becomes a control token.

The tokenizer lists its control tokens (added_tokens_decoder), and it also decides whether a text becomes one: the
tokens of the whole document are compared with those of the same document around a random word. Control tokens that
only the first has come from the prompt, which is then refused. So nothing depends on how a tokenizer matches its tokens
(spaces around them, compatibility forms, whole words), nor on what a template does with a message.

Some control tokens are HTML as well, such as <s>, and a question about HTML must be possible. If only these are in the
way, the document is encoded by a copy of the tokenizer in which they have random names: the template's tokens are
written by those names, and the visitor's <s> stays text.
"""

import json
import re
import secrets
from collections import Counter
from typing import TYPE_CHECKING, Any

from arena.backends.base import BackendError, PromptTooLong
from arena.contestants import ChatStyle, FewShotStyle, Sampling, Style
from arena.guard.prompt_checks import PromptRefused
from common.conversation import Conversation, Message
from common.few_shot import few_shot_document

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerFast

CHAT = ChatStyle(style="chat")
# Added tokens that are not marked as special count as control tokens if they look so: <think>, [TOOL], |||NAME|||.
BRACKETED = re.compile(r"[<\[{|].*\w.*[>\]}|]", re.DOTALL)
MARKUP = re.compile(r"</?(\w+) ?/?>")
HTML = (
    "a abbr acronym address area article aside audio b base bdi bdo big blockquote body br button canvas caption "
    "center cite code col colgroup data datalist dd del details dfn dialog dir div dl dt em embed fieldset "
    "figcaption figure font footer form frame frameset h1 h2 h3 h4 h5 h6 head header hgroup hr html i iframe img "
    "input ins kbd label legend li link main map mark marquee menu meta meter nav nobr noframes noscript object "
    "ol optgroup option output p param picture pre progress q rp rt ruby s samp script search section select slot "
    "small source span strike strong style sub summary sup svg table tbody td template textarea tfoot th thead "
    "time title tr track tt u ul var video wbr "
)
HTML_ELEMENTS = frozenset(HTML.split())


class Asker:
    """Encodes prompts with one tokenizer, for a model with a context of that many tokens."""

    def __init__(self, tokenizer: "PreTrainedTokenizerFast", *, context: int, vocabulary: int) -> None:
        """Take a tokenizer; vocabulary is the number of tokens that the model has embeddings for.

        Raises:
            BackendError: the tokenizer is empty: transformers makes such a one if files are missing.
        """
        self.tokenizer = tokenizer
        self.context = context
        self.vocabulary = vocabulary
        self.control, self.markup = find_control_tokens(tokenizer)
        self._word = f"q{secrets.token_hex(8)}"  # stands for a prompt; no prompt contains it
        self._systems: set[str] = set()  # messages that the template is known to take
        self._plain, self._names = copy_with_names(tokenizer, self.markup, self._word)
        if len(tokenizer) <= len(tokenizer.added_tokens_decoder):
            ids = set(tokenizer("Hello", add_special_tokens=False)["input_ids"])
            if ids <= {tokenizer.unk_token_id}:
                raise BackendError("its tokenizer has no vocabulary: copy the tokenizer's files from its parent")

    def require_template(self) -> None:
        """Require a chat template that works.

        Raises:
            BackendError: there is none, it fails, or it leaves the prompt out.
        """
        try:
            one, other = (self._write(Conversation.ask(self._word + letter), CHAT) for letter in "ab")
        except Exception as error:  # a template may raise anything
            raise BackendError(f"its chat template fails on a plain prompt: {one_line(error)}") from error
        if one == other:
            raise BackendError("its chat template leaves the prompt out: every question would be the same to it")

    def check(self, conversation: Conversation, style: Style, sampling: Sampling) -> None:
        """Refuse a conversation that contains a control token or leaves no room for the reply.

        Raises:
            PromptRefused, PromptTooLong: as the Backend protocol describes.
        """
        size = len(self.encode(conversation, style, sampling.max_tokens))
        room = self.context - sampling.max_tokens
        if size > room:
            prompt = conversation.prompt
            # The document without examples, around a prompt of one letter.
            frame = len(self.encode(_replace_last(conversation, "a"), style, self.context))
            per_character = max(size - frame, 1) / max(len(prompt) - 1, 1)
            raise PromptTooLong(max(0, int((room - frame) / per_character)))

    def encode(self, conversation: Conversation, style: Style, reply_tokens: int) -> list[int]:
        """Return the tokens of a conversation. A few-shot document drops examples until the reply has room.

        Raises:
            PromptRefused: it contains a control token.
            BackendError: the tokenizer knows tokens that the model has no embedding for.
        """
        if conversation.system and isinstance(style, ChatStyle):
            self._require_system(conversation.system)
        for said in conversation.turns:
            typed = self._tokens(said.content, add_special_tokens=False)
            self._require_no_more([], [token for token in typed if token not in self.markup])
        ids: list[int] = []
        for shots in range(len(style.examples), 0, -1) if isinstance(style, FewShotStyle) else [0]:
            ids = self._encode(conversation, style, shots)
            if len(ids) + reply_tokens <= self.context:
                break
        if max(ids, default=0) >= self.vocabulary:
            raise BackendError(f"its tokenizer writes token {max(ids)}, but its weights hold {self.vocabulary} only")
        return ids

    def _require_system(self, system: str) -> None:
        """Require that the chat template takes a system's message, and does not leave it out without a word."""
        if system in self._systems:
            return
        try:
            told = self._write(Conversation.ask(self._word, system), CHAT)
        except Exception as error:  # a template may raise anything
            raise BackendError(
                f"its chat template takes no system message ({one_line(error)}): take system out, or another template"
            ) from error
        if told in (self._write(Conversation.ask(self._word, system + letter), CHAT) for letter in "ab"):
            raise BackendError("its chat template leaves the system message out: take system out, or another template")
        self._systems.add(system)

    def _encode(self, conversation: Conversation, style: Style, shots: int) -> list[int]:
        words = [f"{self._word}{n}z" for n in range(len(conversation.turns))]
        text = self._write(conversation, style, shots)
        frame = self._write(_with_words(conversation, words), style, shots)
        is_document = isinstance(style, FewShotStyle)  # a chat template writes the token that begins a text itself
        ids = self._tokens(text, add_special_tokens=is_document)
        wanted = self._of_control(self._tokens(frame, add_special_tokens=is_document))
        if self._of_control(ids) == wanted:
            return ids
        if self._plain is not None and (renamed := self._renamed(text, frame)) is not None:
            ids = self._plain.encode(renamed, add_special_tokens=is_document).ids
        if self._of_control(ids) != wanted:
            self._require_no_more(wanted, self._of_control(ids))
            raise PromptRefused("The prompt runs into a control token of a chat format: write it another way.")
        return ids

    def _renamed(self, text: str, frame: str) -> str | None:
        """Return a document with other names for its template's tokens, None if it does not fit its frame."""
        parts = re.split(f"{self._word}\\d+z", frame)
        said = re.fullmatch("(.*)".join(map(re.escape, parts)), text, re.DOTALL)
        if said is None:
            return None
        between = [self._rename(part) for part in parts]
        return between[0] + "".join(one + other for one, other in zip(said.groups(), between[1:], strict=True))

    def _tokens(self, text: str, *, add_special_tokens: bool) -> list[int]:
        # Not verbose: it would warn in the log about each text that is too long, which check refuses anyway.
        ids: list[int] = self.tokenizer(text, add_special_tokens=add_special_tokens, verbose=False)["input_ids"]
        return ids

    def _write(self, conversation: Conversation, style: Style, shots: int = 0) -> str:
        if isinstance(style, FewShotStyle):
            chosen = style.examples[len(style.examples) - shots :]
            solved = [(shot.question, shot.answer) for shot in chosen]
            return few_shot_document([*solved, *conversation.exchanges], conversation.prompt)
        messages = conversation.as_dicts()
        text: str = self.tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
        return text

    def _of_control(self, ids: list[int]) -> list[int]:
        return [token for token in ids if token in self.control or token in self.markup]

    def _require_no_more(self, wanted: list[int], ids: list[int]) -> None:
        for token in Counter(ids) - Counter(wanted):
            if text := self.control.get(token, self.markup.get(token)):
                raise PromptRefused(f"{text!r} is a control token of a chat format: write it another way.")

    def _rename(self, text: str) -> str:
        renamed = re.compile("|".join(map(re.escape, sorted(self._names, key=len, reverse=True))))
        return renamed.sub(lambda match: self._names[match.group()], text)


def find_control_tokens(tokenizer: "PreTrainedTokenizerFast") -> tuple[dict[int, str], dict[int, str]]:
    """Return a tokenizer's control tokens by id: those that no prompt may contain, and those that are HTML too.

    An added token that is not special and does not look so (a word, a run of spaces, an HTML tag) is ordinary. So is
    the unknown token, which any rare character may become, unless it also begins or ends a text.
    """
    ends = {tokenizer.bos_token_id, tokenizer.eos_token_id}
    specials = set(tokenizer.all_special_ids)
    control: dict[int, str] = {}
    markup: dict[int, str] = {}
    for number, token in tokenizer.added_tokens_decoder.items():
        is_special = token.special or number in specials
        tag = MARKUP.fullmatch(token.content.strip())
        is_html = tag is not None and tag.group(1).lower() in HTML_ELEMENTS
        is_unknown = number == tokenizer.unk_token_id and number not in ends
        if is_unknown or not (is_special or BRACKETED.fullmatch(token.content.strip())):
            continue
        if not is_html:
            control[number] = token.content
        elif is_special:
            markup[number] = token.content
    # A special token may be part of the vocabulary without being an added token.
    for number in specials - tokenizer.added_tokens_decoder.keys() - {tokenizer.unk_token_id, None}:
        control[number] = tokenizer.convert_ids_to_tokens(number)
    return control, markup


def copy_with_names(tokenizer: Any, tokens: dict[int, str], word: str) -> "tuple[Tokenizer | None, dict[str, str]]":
    """Return a copy of a tokenizer in which these tokens have other names, and those; None if that is impossible."""
    names = {text: f"<{word}{number}>" for number, text in tokens.items()}
    if not names or not tokenizer.is_fast:
        return None, {}
    from tokenizers import Tokenizer

    tree = json.loads(tokenizer.backend_tokenizer.to_str())
    tree["truncation"] = tree["padding"] = None
    for added in tree["added_tokens"]:
        added["content"] = names.get(added["content"], added["content"])
    vocabulary = tree["model"].get("vocab")
    if isinstance(vocabulary, dict):
        tree["model"]["vocab"] = {names.get(text, text): number for text, number in vocabulary.items()}
    elif isinstance(vocabulary, list):
        tree["model"]["vocab"] = [[names.get(text, text), score] for text, score in vocabulary]
    try:
        return Tokenizer.from_str(json.dumps(tree)), names
    except Exception:  # the library's own kind: other tokens are merged from one that was renamed
        return None, {}


def _with_words(conversation: Conversation, words: list[str]) -> Conversation:
    """Return a conversation in which user and assistant say these words; the system's message stays."""
    first = conversation.messages[: -len(words)]
    said = (Message(message.role, word) for message, word in zip(conversation.turns, words, strict=True))
    return Conversation((*first, *said))


def _replace_last(conversation: Conversation, prompt: str) -> Conversation:
    return Conversation((*conversation.messages[:-1], Message("user", prompt)))


def one_line(error: Exception) -> str:
    """Return an error's message without line breaks, or its type if it has none."""
    return " ".join(str(error).split()) or type(error).__name__
