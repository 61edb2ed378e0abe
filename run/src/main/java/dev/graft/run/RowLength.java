package dev.graft.run;

import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.forward.ForwardPass;
import dev.graft.models.forward.Inputs;
import dev.graft.peft.Adapter;
import dev.graft.peft.Selection;
import dev.graft.run.config.RunConfig;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Scope;

/** The maximum length of a run's rows, in tokens. */
public final class RowLength {
    /** Longer rows are rarely worth their memory; who wants them says so. */
    private static final int USUAL = 1024;

    private RowLength() {}

    /**
     * Returns the maximum number of tokens of a row, which leaves room for the adapter's soft prompt.
     *
     * @param prompt the number of virtual tokens before each row
     * @throws InputException if the config's length is more than fits
     */
    public static int max(RunConfig.Goal goal, Base base, int prompt) {
        int most = base.backbone().maxPositions() - prompt;
        Integer wanted = goal.maxSeqLength();
        if (wanted != null && wanted > most) {
            throw new InputException("max_seq_length is " + wanted + ", but " + base.name() + " takes at most " + most
                    + " tokens" + (most == base.backbone().maxPositions() ? "" : " beside the prompt"));
        }
        return wanted == null ? Math.min(USUAL, most) : wanted;
    }

    /** Returns the number of positions that an adapter puts before each text. */
    static int prompt(Adapter adapter) {
        Base base = adapter.base();
        try (NoGrad noGrad = new NoGrad();
                Scope scope = new Scope()) {
            Inputs one = base.backbone().dummyInputs(new long[][] {{0}});
            Adapter acting = adapter.lacksTask() ? adapter.task(0) : adapter;
            ForwardPass pass = ForwardPass.inference(Selection.of(acting).hooks());
            return Math.toIntExact(base.forward(one, pass).prompt());
        }
    }
}
