package dev.graft.eval.suites;

import dev.graft.models.Base;
import dev.graft.tensor.Numerics;
import dev.graft.train.data.CausalEncoder;
import dev.graft.train.data.LossOn;
import dev.graft.train.data.RowEncoder;
import java.nio.file.Path;

/** A task of BIG-Bench Hard on SmolLM2. */
final class BbhProof extends ScoredTwinProof {
    BbhProof(String task, Path folder) {
        super(
                Suite.named("bbh").task(task.substring(task.indexOf('/') + 1)),
                "accuracy",
                twin(folder.resolve("twin")),
                other(folder.resolve("other")));
    }

    private static Path twin(Path folder) {
        BbhTwin.write(folder, 1);
        return folder;
    }

    private static Path other(Path folder) {
        BbhTwin.write(folder, new TwinVocabulary(1, false), 250);
        return folder;
    }

    @Override
    Base base() {
        return Base.load("smollm2", Base.Options.DEFAULT.withNumerics(Numerics.auto()));
    }

    @Override
    RowEncoder encoder(Base base) {
        return new CausalEncoder(
                base.tokenizer(), null, LossOn.COMPLETION, base.backbone().vocabSize());
    }
}
