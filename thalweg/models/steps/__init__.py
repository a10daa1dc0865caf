"""Training steps of one's own: `train_step` and `test_step` of a model, traced into programs that run one by one."""
