"""Budget variance: published cost against a budget, exact to the fen."""
