"""The load tester behind `sluice load`: a pure core (schedule, histogram, tally, balance) and the sending."""
