"""The structure that screen readers use, kept when documents become one."""

import pikepdf

_NUMBERS = ("/StructParents", "/StructParent")


class Structure:
    """Gathers the structure of tagged documents on their way into another.

    A document's pages point into its structure by number, and cells of its tables at their heads by name. Both begin
    anew in each document, so they are made different before its pages are taken over.
    """

    def __init__(self, whole: pikepdf.Pdf) -> None:
        """Gather into a document that has no pages yet."""
        self._whole = whole
        self._tops: list[pikepdf.Object] = []
        self._by_number: list[int | pikepdf.Object] = []
        self._next = 0
        self._language: pikepdf.Object | None = None
        self._all_tagged = True

    def make_different(self, document: pikepdf.Pdf) -> None:
        """Renumber and rename what a document's pages will be known by; called before they are taken over."""
        if "/StructTreeRoot" not in document.Root:
            return
        prefix = f"{len(self._tops)}-".encode()
        for each in document.objects:
            if isinstance(each, pikepdf.Dictionary | pikepdf.Stream):
                for number in _NUMBERS:
                    if number in each:
                        each[number] = int(each[number]) + self._next
                if "/ID" in each and "/S" in each:
                    each["/ID"] = pikepdf.String(prefix + bytes(each["/ID"]))
                _rename_heads(each, prefix)

    def take(self, document: pikepdf.Pdf) -> None:
        """Take a document's structure over; called after its pages were."""
        tree = document.Root.get("/StructTreeRoot")
        if tree is None:
            self._all_tagged = False
            return
        copied = self._whole.copy_foreign(document.make_indirect(tree))
        tops = copied.get("/K", pikepdf.Array())
        self._tops += tops if isinstance(tops, pikepdf.Array) else [tops]
        numbers = list(copied.ParentTree.Nums)
        for number, points_at in zip(numbers[::2], numbers[1::2], strict=True):
            self._by_number += [int(number) + self._next, points_at]
        self._next += int(copied.ParentTreeNextKey)
        self._language = self._language or document.Root.get("/Lang")

    def finish(self) -> None:
        """Give the whole its structure, where every document in it had one."""
        if not self._tops or not self._all_tagged:
            return
        whole = self._whole
        root = whole.make_indirect(pikepdf.Dictionary(Type=pikepdf.Name.StructTreeRoot, ParentTreeNextKey=self._next))
        together = whole.make_indirect(
            pikepdf.Dictionary(
                Type=pikepdf.Name.StructElem, S=pikepdf.Name.Document, P=root, K=pikepdf.Array(self._tops)
            )
        )
        for top in self._tops:
            top.S, top.P = pikepdf.Name.Part, together
        root.K = together
        root.ParentTree = whole.make_indirect(pikepdf.Dictionary(Nums=pikepdf.Array(self._by_number)))
        root.IDTree = whole.make_indirect(pikepdf.Dictionary(Names=self._names()))
        whole.Root.StructTreeRoot = root
        whole.Root.MarkInfo = pikepdf.Dictionary(Marked=True)
        if self._language is not None:
            whole.Root.Lang = pikepdf.String(str(self._language))

    def _names(self) -> pikepdf.Array:
        named = [
            (bytes(each["/ID"]), each)
            for each in self._whole.objects
            if isinstance(each, pikepdf.Dictionary) and "/ID" in each and "/S" in each
        ]
        return pikepdf.Array([part for name, each in sorted(named, key=lambda one: one[0]) for part in (name, each)])


def _rename_heads(element: pikepdf.Object, prefix: bytes) -> None:
    """Rename the heads that a table's cell names."""
    about = element.get("/A")
    for each in about if isinstance(about, pikepdf.Array) else [about]:
        if isinstance(each, pikepdf.Dictionary) and "/Headers" in each:
            each["/Headers"] = pikepdf.Array([pikepdf.String(prefix + bytes(head)) for head in each["/Headers"]])
