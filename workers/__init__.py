"""What happens to a mention, in order: classify, identify, judge, alert, record, deliver."""
