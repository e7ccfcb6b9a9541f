"""The consortium: who pays what is shared, who may borrow, who gets funds and equipment."""
