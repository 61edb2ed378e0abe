package dev.graft.cli.predict;

import dev.graft.cli.model.ComputeOptions;
import dev.graft.cli.model.HeadOptions;
import dev.graft.cli.model.Loading;
import dev.graft.eval.run.ZeroShot;
import dev.graft.formats.InputException;
import dev.graft.models.Task;
import dev.graft.train.data.Row;
import dev.graft.train.data.Rows;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** One run of {@code graft predict}. */
record PredictRun(
        String model,
        List<String> adapters,
        HeadOptions head,
        String template,
        @Nullable Path masks,
        ComputeOptions compute,
        boolean asJson,
        PrintWriter out,
        PrintWriter err) {
    void predict(Rows rows, int batchSize, int maxNewTokens) {
        Loading loading = Loading.of(model, adapters, head, compute, err);
        if (masks != null && loading.base().task() != Task.SEMANTIC_SEG) {
            throw new InputException("--masks is for models that give each point a class, but "
                    + loading.base().name() + " has a head for "
                    + loading.base().task());
        }
        Predicting predicting = new Predicting(loading, adapters, asJson, out);
        ClassAnswers classes = new ClassAnswers(predicting);
        TextAnswers texts = new TextAnswers(predicting);
        switch (loading.base().task()) {
            case SEQ_CLS -> {
                if (rows.get(0) instanceof Row.Completion || rows.get(0) instanceof Row.Chat) {
                    classes.reward(rows, batchSize);
                } else {
                    classes.classify(rows, batchSize, "text");
                }
            }
            case IMAGE_CLS -> classes.classify(rows, batchSize, "picture");
            case CONTRASTIVE -> classes.compare(rows, new ZeroShot(loading.base(), head.labels(), template));
            case CAUSAL_LM, SEQ_2_SEQ_LM -> new WrittenAnswers(predicting).complete(rows, maxNewTokens);
            case TOKEN_CLS -> texts.tag(rows, batchSize);
            case QUESTION_ANS -> texts.answer(rows, batchSize);
            case MULTIPLE_CHOICE -> texts.choose(rows, batchSize);
            case MASKED_LM -> texts.fill(rows);
            case SEMANTIC_SEG -> new PointAnswers(predicting, masks).segment(rows);
            default ->
                throw new InputException(loading.base().name() + " has a head for "
                        + loading.base().task()
                        + "; predict needs a classifier, a dual encoder or a model that writes text");
        }
    }
}
