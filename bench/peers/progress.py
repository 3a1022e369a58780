"""Says what is going on and how long it will take."""

import time


class Progress:
    def __init__(self, total: int):
        self.total, self.done, self.begin = total, 0, time.monotonic()

    def say(self, text: str) -> None:
        print(text, flush=True)

    def next(self, name: str) -> None:
        gone = time.monotonic() - self.begin
        left = f", about {gone / self.done * (self.total - self.done) / 60:.0f} min left" if self.done else ""
        self.done += 1
        self.say(f"[{self.done}/{self.total}] {name} ({gone / 60:.1f} min gone{left})")
