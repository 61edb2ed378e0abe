package dev.graft.run;

import dev.graft.train.TrainingEvent.Ended;
import dev.graft.train.TrainingEvent.Evaluated;
import dev.graft.train.TrainingEvent.Saved;
import dev.graft.train.TrainingEvent.Started;
import dev.graft.train.TrainingEvent.Stepped;
import dev.graft.train.TrainingListener;

/** Forwards every n-th step, the first and the last one, and all other events to a log. */
record ThrottledListener(int steps, TrainingListener log) implements TrainingListener {

    @Override
    public void onStart(Started started) {
        log.onStart(started);
    }

    @Override
    public void onStep(Stepped stepped) {
        if (stepped.step() % steps == 0 || stepped.step() == 1 || stepped.step() == stepped.totalSteps()) {
            log.onStep(stepped);
        }
    }

    @Override
    public void onEvaluate(Evaluated evaluated) {
        log.onEvaluate(evaluated);
    }

    @Override
    public void onSave(Saved saved) {
        log.onSave(saved);
    }

    @Override
    public void onEnd(Ended ended) {
        log.onEnd(ended);
    }
}
