"""What a service does again and again beside answering: a *loop* of *rounds*, each over *items*. One bad item never stops the
rest.

`forever` runs a loop, and no error of a round ends it. `Items.each` acts on each item by itself: one that cannot be done is
*set aside* with its reason, tried again with growing pauses, in the end only by hand (`kept set-aside`); the others are done.
"""
