package dev.graft.run.bench;

import dev.graft.models.Task;

/** The task that the rows of a workload train. */
public enum WorkloadTask {
    CAUSAL(Task.CAUSAL_LM),
    CLASSIFY(Task.SEQ_CLS);

    private final Task task;

    WorkloadTask(Task task) {
        this.task = task;
    }

    public Task task() {
        return task;
    }

    @Override
    public String toString() {
        return task == Task.CAUSAL_LM ? "causal" : "classify";
    }
}
