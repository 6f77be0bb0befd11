"""Lines of text that fit the room they have: first smaller, then wrapped or ended with an ellipsis."""

from dataclasses import dataclass

from PIL import ImageDraw, ImageFont

from handlers.pictures.font import Weight, drawable, font

_ELLIPSIS = "…"


def fit(text: str, weight: Weight, size: int, least: int, width: int) -> tuple[str, ImageFont.FreeTypeFont]:
    """One line within a width in pixels: the largest size down to the least that holds it, then an ellipsis."""
    line = drawable(text)
    for smaller in range(size, least, -2):
        if font(weight, smaller).getlength(line) <= width:
            return line, font(weight, smaller)
    return shorten(line, font(weight, least), width), font(weight, least)


def fit_lines(
    text: str, weight: Weight, size: int, least: int, width: int, lines: int
) -> tuple[list[str], ImageFont.FreeTypeFont]:
    """At most so many lines within a width: the largest size that holds every word, then an ellipsis.

    One line less is worth a sixth of the size.
    """
    line = drawable(text)
    for rows in range(1, lines + 1):
        smallest = least if rows == lines else max(least, size * 5 // 6)
        for smaller in range(size, smallest - 1, -2):
            face = font(weight, smaller)
            wrapped = _wrap(line, face, width)
            if len(wrapped) <= rows and all(face.getlength(row) <= width for row in wrapped):
                return _balance(line, face, width, len(wrapped)), face
    face = font(weight, least)
    wrapped = _wrap(line, face, width)
    kept = [*wrapped[: lines - 1], " ".join(wrapped[lines - 1 :])]
    return [shorten(row, face, width) for row in kept if row], face


def shorten(line: str, face: ImageFont.FreeTypeFont, width: int) -> str:
    """The line itself, or as much of its beginning as leaves room for an ellipsis."""
    if face.getlength(line) <= width:
        return line
    fits, too_long = 0, len(line)
    while too_long - fits > 1:
        middle = (fits + too_long) // 2
        if face.getlength(line[:middle].rstrip() + _ELLIPSIS) <= width:
            fits = middle
        else:
            too_long = middle
    return line[:fits].rstrip() + _ELLIPSIS


@dataclass(frozen=True)
class Rows:
    """Lines set in one face, as tall as they are drawn."""

    lines: list[str]
    face: ImageFont.FreeTypeFont
    colour: str
    leading: float
    """From baseline to baseline, in sizes of the face."""

    @property
    def step(self) -> int:
        """From baseline to baseline, in pixels."""
        return round(self.face.size * self.leading)

    def draw(self, pen: ImageDraw.ImageDraw, x: int, top: int) -> int:
        """Draw the lines below a height; gives the height that they end at."""
        for line in self.lines:
            pen.text((x, top + self.step * 4 // 5), line, self.colour, self.face, anchor="ls")
            top += self.step
        return top


def draw_block(pen: ImageDraw.ImageDraw, x: int, room: tuple[int, int], *parts: Rows, gap: int = 12) -> None:
    """Draw rows below one another in the middle of the room between two heights."""
    shown = [part for part in parts if part.lines]
    height = sum(part.step * len(part.lines) for part in shown) + gap * (len(shown) - 1)
    top = (room[0] + room[1] - height) // 2
    for part in shown:
        top = part.draw(pen, x, top) + gap


def _wrap(line: str, face: ImageFont.FreeTypeFont, width: int) -> list[str]:
    rows: list[str] = []
    for word in line.split(" ") if line else []:
        longer = f"{rows[-1]} {word}" if rows else word
        if rows and face.getlength(longer) <= width:
            rows[-1] = longer
        else:
            rows.append(word)
    return rows


def _balance(line: str, face: ImageFont.FreeTypeFont, width: int, lines: int) -> list[str]:
    """The same number of rows, as even as they get: no word stays alone on the last."""
    narrow, wide = width // 2, width
    while wide - narrow > 8:
        middle = (narrow + wide) // 2
        rows = _wrap(line, face, middle)
        if len(rows) <= lines and all(face.getlength(row) <= middle for row in rows):
            wide = middle
        else:
            narrow = middle
    return _wrap(line, face, wide)
