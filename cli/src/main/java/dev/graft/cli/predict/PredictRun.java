package dev.graft.cli.predict;

import dev.graft.cli.Interruption;
import dev.graft.cli.model.AdapterHeader;
import dev.graft.cli.model.ComputeOptions;
import dev.graft.cli.model.HeadOptions;
import dev.graft.cli.model.Loading;
import dev.graft.eval.metrics.spans.Span;
import dev.graft.eval.predict.Chooser;
import dev.graft.eval.predict.Filler;
import dev.graft.eval.predict.Reader;
import dev.graft.eval.predict.Rewards;
import dev.graft.eval.predict.Segmenter;
import dev.graft.eval.predict.Tagger;
import dev.graft.eval.predict.Transcriber;
import dev.graft.eval.run.Answers;
import dev.graft.eval.run.ServingRecord;
import dev.graft.eval.run.ZeroShot;
import dev.graft.formats.AtomicWrite;
import dev.graft.formats.InputException;
import dev.graft.formats.Json;
import dev.graft.hub.Hub;
import dev.graft.models.Base;
import dev.graft.models.Task;
import dev.graft.models.audio.Sound;
import dev.graft.models.chat.Message;
import dev.graft.models.generate.GenerateOptions;
import dev.graft.models.generate.Generated;
import dev.graft.models.generate.Generator;
import dev.graft.models.images.Picture;
import dev.graft.models.sites.Hooks;
import dev.graft.models.tokenizers.EncodeOptions;
import dev.graft.train.data.Label;
import dev.graft.train.data.PictureSource;
import dev.graft.train.data.Row;
import dev.graft.train.data.RowShape;
import dev.graft.train.data.Rows;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

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
    /** Probabilities shown to a person. */
    private static final int SHOWN = 3;

    /** Tokens named for each mask. */
    private static final int GUESSES = 5;

    void predict(Rows rows, int batchSize, int maxNewTokens) {
        Loading loading = Loading.of(model, adapters, head, compute, err);
        if (masks != null && loading.base().task() != Task.SEMANTIC_SEG) {
            throw new InputException("--masks is for models that give each point a class, but "
                    + loading.base().name() + " has a head for "
                    + loading.base().task());
        }
        switch (loading.base().task()) {
            case SEQ_CLS -> {
                if (rows.get(0) instanceof Row.Completion || rows.get(0) instanceof Row.Chat) {
                    reward(loading, rows, batchSize);
                } else {
                    classify(loading, rows, batchSize, "text");
                }
            }
            case IMAGE_CLS -> classify(loading, rows, batchSize, "picture");
            case CONTRASTIVE -> compare(loading, rows);
            case CAUSAL_LM, SEQ_2_SEQ_LM -> complete(loading, rows, maxNewTokens);
            case TOKEN_CLS -> tag(loading, rows, batchSize);
            case QUESTION_ANS -> answer(loading, rows, batchSize);
            case MULTIPLE_CHOICE -> choose(loading, rows, batchSize);
            case MASKED_LM -> fill(loading, rows);
            case SEMANTIC_SEG -> segment(loading, rows);
            default ->
                throw new InputException(loading.base().name() + " has a head for "
                        + loading.base().task()
                        + "; predict needs a classifier, a dual encoder or a model that writes text");
        }
    }

    private void classify(Loading loading, Rows rows, int batchSize, String needed) {
        Base base = trained(loading);
        for (int i = 0; i < rows.size(); i++) {
            Row row = rows.get(i);
            if (!(needed.equals("text") ? row instanceof Row.Text : row instanceof Row.Image)) {
                throw new InputException(rows.place(i) + ": the row is "
                        + row.shape().title() + ", but this classifier needs a " + needed);
            }
        }
        List<Answers.Answer> answers = new Answers(base, kind(base), batchSize)
                .of(rows, loading.selection().hooks());
        for (int i = 0; i < rows.size(); i++) {
            Row row = rows.get(i);
            out.println(asJson ? Json.compact(json(row, answers.get(i), false)) : line(row, answers.get(i)));
        }
    }

    /** Chooses among texts for each picture. */
    private void compare(Loading loading, Rows rows) {
        ZeroShot choice = new ZeroShot(loading.base(), head.labels(), template);
        Hooks hooks = loading.selection().hooks();
        for (int i = 0; i < rows.size() && !Interruption.requested(); i++) {
            Row row = rows.get(i);
            PictureSource picture = picture(row, rows.place(i));
            Row shown = new Row.Image(picture, null);
            Answers.Answer answer = choice.of(List.of(picture), hooks).get(0);
            out.println(asJson ? Json.compact(json(shown, answer, true)) : line(shown, answer));
        }
    }

    private static PictureSource picture(Row row, String place) {
        if (row instanceof Row.Image image) {
            return image.picture();
        } else if (row instanceof Row.Captioned captioned) {
            return captioned.picture();
        } else if (row instanceof Row.Masked masked) {
            return masked.picture();
        }
        throw new InputException(place + ": the row is " + row.shape().title() + ", but this model needs a picture");
    }

    /** Gives each point of each picture its class. */
    private void segment(Loading loading, Rows rows) {
        Base base = trained(loading);
        Segmenter segmenter = new Segmenter(base, loading.selection().hooks());
        Set<Path> written = new HashSet<>();
        for (int i = 0; i < rows.size() && !Interruption.requested(); i++) {
            PictureSource source = picture(rows.get(i), rows.place(i));
            Picture mask = segmenter.mask(source.read());
            Path file = masks == null ? null : masks.resolve(maskName(source, i, written));
            if (file != null) {
                AtomicWrite.bytes(file, mask.greyPng());
            }
            Map<String, Double> shares = shares(base.labels(), mask);
            if (asJson) {
                ObjectNode json = JsonNodeFactory.instance.objectNode();
                json.put("image", source.name());
                ObjectNode classes = json.putObject("shares");
                shares.forEach(classes::put);
                if (file != null) {
                    json.put("mask", file.toString());
                }
                out.println(Json.compact(json));
            } else {
                String text = shares.entrySet().stream()
                        .map(share -> String.format(Locale.ROOT, "%s %.1f%%", share.getKey(), 100 * share.getValue()))
                        .collect(Collectors.joining(", "));
                out.println(text + "  " + source.name() + (file == null ? "" : " -> " + file));
            }
            out.flush();
        }
    }

    /** The picture's name with another ending; with the row's number where two pictures have one name. */
    private static Path maskName(PictureSource source, int row, Set<Path> taken) {
        String name = Path.of(source.name()).getFileName().toString().replaceFirst("\\.[^.]*$", "");
        Path file = Path.of(name + ".png");
        if (!taken.add(file)) {
            file = Path.of(name + "-" + (row + 1) + ".png");
            taken.add(file);
        }
        return file;
    }

    /** The share of points that each class has, the largest first. */
    private static Map<String, Double> shares(List<String> labels, Picture mask) {
        Map<String, Double> counts = new HashMap<>();
        byte[] classes = mask.values();
        for (byte one : classes) {
            counts.merge(labels.get(one & 0xFF), 1.0 / classes.length, Double::sum);
        }
        return counts.entrySet().stream()
                .sorted(Map.Entry.<String, Double>comparingByValue().reversed())
                .collect(Collectors.toMap(Map.Entry::getKey, Map.Entry::getValue, (a, b) -> a, LinkedHashMap::new));
    }

    /** The base, whose head must not be random. */
    private Base trained(Loading loading) {
        Base base = loading.base();
        if (adapters.isEmpty() && !base.freshParameters().isEmpty()) {
            throw new InputException(base.name() + " has no trained head for " + base.task()
                    + "; name an adapter that was trained with one");
        }
        return base;
    }

    private void tag(Loading loading, Rows rows, int batchSize) {
        List<List<String>> texts = new ArrayList<>();
        for (int i = 0; i < rows.size(); i++) {
            Row row = rows.get(i);
            if (row instanceof Row.Text text) {
                texts.add(List.of(text.text().strip().split("\\s+")));
            } else if (row instanceof Row.Words words) {
                texts.add(words.words());
            } else {
                throw new InputException(
                        rows.place(i) + ": the row is " + row.shape().title() + ", but tagging needs words or a text");
            }
        }
        List<Tagger.Text> tagged = new Tagger(trained(loading), batchSize)
                .of(texts, loading.selection().hooks());
        for (Tagger.Text text : tagged) {
            out.println(asJson ? Json.compact(json(text)) : line(text));
        }
    }

    private static String line(Tagger.Text text) {
        return text.words().stream()
                .map(word -> word.word() + "/" + (word.tag() == null ? "?" : word.tag()))
                .collect(Collectors.joining(" "));
    }

    private static ObjectNode json(Tagger.Text text) {
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        ArrayNode words = json.putArray("tokens");
        ArrayNode tags = json.putArray("tags");
        ArrayNode probabilities = json.putArray("probabilities");
        for (Tagger.Word word : text.words()) {
            words.add(word.word());
            tags.add(word.tag());
            probabilities.add(word.probability());
        }
        ArrayNode entities = json.putArray("entities");
        for (Span span : text.spans()) {
            String spoken = text.words().subList(span.from(), span.to()).stream()
                    .map(Tagger.Word::word)
                    .collect(Collectors.joining(" "));
            entities.addObject()
                    .put("type", span.type())
                    .put("text", spoken)
                    .put("from", span.from())
                    .put("to", span.to());
        }
        return json;
    }

    private void answer(Loading loading, Rows rows, int batchSize) {
        List<Row.Question> questions = new ArrayList<>();
        for (int i = 0; i < rows.size(); i++) {
            if (!(rows.get(i) instanceof Row.Question question)) {
                throw new InputException(rows.place(i) + ": the row is "
                        + rows.get(i).shape().title() + ", but a question and its text are needed, such as "
                        + RowShape.UNANSWERED.sample());
            }
            questions.add(question);
        }
        boolean mayBeNone = record().leavesOpen();
        List<Reader.Answer> answers = new Reader(trained(loading), mayBeNone, batchSize)
                .of(questions, loading.selection().hooks());
        for (int i = 0; i < answers.size(); i++) {
            String question = questions.get(i).question();
            Reader.Answer answer = answers.get(i);
            if (asJson) {
                ObjectNode json = JsonNodeFactory.instance.objectNode();
                json.put("question", question);
                json.put("answer", answer.text());
                json.put("probability", answer.probability());
                json.put("from", answer.from());
                json.put("to", answer.to());
                out.println(Json.compact(json));
            } else {
                out.println(question + "\n  " + (answer.text().isEmpty() ? "(no answer)" : answer.text()));
            }
        }
    }

    private void choose(Loading loading, Rows rows, int batchSize) {
        List<Row.Choice> questions = new ArrayList<>();
        for (int i = 0; i < rows.size(); i++) {
            if (!(rows.get(i) instanceof Row.Choice question)) {
                throw new InputException(rows.place(i) + ": the row is "
                        + rows.get(i).shape().title() + ", but choosing needs rows such as "
                        + RowShape.UNSOLVED.sample());
            }
            questions.add(question);
        }
        List<double[]> answers = new Chooser(trained(loading), batchSize)
                .of(questions, loading.selection().hooks());
        for (int i = 0; i < answers.size(); i++) {
            Row.Choice question = questions.get(i);
            double[] probabilities = answers.get(i);
            int best = 0;
            for (int j = 1; j < probabilities.length; j++) {
                best = probabilities[j] > probabilities[best] ? j : best;
            }
            if (asJson) {
                ObjectNode json = JsonNodeFactory.instance.objectNode();
                json.put("stem", question.stem());
                json.put("choice", best);
                json.put("text", question.choices().get(best));
                ArrayNode all = json.putArray("probabilities");
                Arrays.stream(probabilities).forEach(all::add);
                out.println(Json.compact(json));
            } else {
                out.println(String.format(
                        Locale.ROOT,
                        "%s%n  %d (%.3f)  %s",
                        question.stem(),
                        best,
                        probabilities[best],
                        question.choices().get(best)));
            }
        }
    }

    private void fill(Loading loading, Rows rows) {
        Filler filler = new Filler(trained(loading), GUESSES);
        for (int i = 0; i < rows.size(); i++) {
            if (!(rows.get(i) instanceof Row.Text row)) {
                throw new InputException(rows.place(i) + ": the row is "
                        + rows.get(i).shape().title() + ", but filling masks needs a text");
            }
            List<List<Filler.Guess>> masks =
                    filler.of(row.text(), loading.selection().hooks());
            if (asJson) {
                ObjectNode json = JsonNodeFactory.instance.objectNode();
                json.put("text", row.text());
                ArrayNode all = json.putArray("masks");
                for (List<Filler.Guess> mask : masks) {
                    ArrayNode guesses = all.addArray();
                    mask.forEach(guess ->
                            guesses.addObject().put("token", guess.token()).put("probability", guess.probability()));
                }
                out.println(Json.compact(json));
            } else {
                out.println(row.text());
                for (List<Filler.Guess> mask : masks) {
                    out.println("  "
                            + mask.stream()
                                    .map(guess ->
                                            String.format(Locale.ROOT, "%s %.3f", guess.token(), guess.probability()))
                                    .collect(Collectors.joining(", ")));
                }
            }
        }
    }

    private void reward(Loading loading, Rows rows, int batchSize) {
        Base base = trained(loading);
        if (base.labels().size() != 1) {
            throw new InputException(
                    rows.place(0) + ": the row is " + rows.get(0).shape().title() + ", but " + base.name() + " has "
                            + base.labels().size() + " classes; a reward has one output");
        }
        List<Double> rewards = new Rewards(base, loading::chat, batchSize)
                .of(rows, loading.selection().hooks());
        for (int i = 0; i < rewards.size(); i++) {
            String prompt = shown(rows.get(i));
            out.println(
                    asJson
                            ? Json.compact(JsonNodeFactory.instance
                                    .objectNode()
                                    .put("prompt", prompt)
                                    .put("reward", rewards.get(i)))
                            : String.format(Locale.ROOT, "%.4g  %s", rewards.get(i), prompt));
        }
    }

    /** What the first adapter's folder says of its use. */
    private ServingRecord record() {
        return adapters.isEmpty()
                ? new ServingRecord(null, null, List.of(), false, null)
                : ServingRecord.read(AdapterHeader.folder(adapters.get(0), new Hub()));
    }

    /** By the adapter's record; else one output is a number and several are classes. */
    private Label.Kind kind(Base base) {
        Label.Kind recorded = record().kind();
        if (recorded != null) {
            return recorded;
        }
        String declared = base.config().stringOrNull("problem_type");
        if ("multi_label_classification".equals(declared)) {
            return Label.Kind.MANY;
        }
        return "regression".equals(declared) || base.labels().size() == 1 ? Label.Kind.SCORE : Label.Kind.ONE;
    }

    /** @param choice whether one label is chosen, even where each is judged alone */
    private static ObjectNode json(Row row, Answers.Answer answer, boolean choice) {
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        json.put(row instanceof Row.Image ? "image" : "text", shown(row));
        if (row instanceof Row.Text text && text.pair() != null) {
            json.put("text_pair", text.pair());
        }
        Double value = answer.value();
        if (value != null) {
            return json.put("value", value);
        }
        // A row of several labels has several or none.
        boolean one = answer.labels().size() == 1 && (choice || sumsToOne(answer.probabilities()));
        if (one) {
            json.put("label", answer.labels().get(0));
        } else {
            ArrayNode labels = json.putArray("labels");
            answer.labels().forEach(labels::add);
        }
        ObjectNode probabilities = json.putObject("probabilities");
        answer.probabilities().forEach(probabilities::put);
        return json;
    }

    private static boolean sumsToOne(Map<String, Double> probabilities) {
        return Math.abs(probabilities.values().stream().mapToDouble(p -> p).sum() - 1) < 1e-6;
    }

    private static String line(Row row, Answers.Answer answer) {
        Double value = answer.value();
        if (value != null) {
            return String.format(Locale.ROOT, "%.4g  %s", value, shown(row));
        }
        String labels = answer.labels().isEmpty() ? "-" : String.join(", ", answer.labels());
        String probabilities = answer.probabilities().entrySet().stream()
                .sorted(Map.Entry.<String, Double>comparingByValue().reversed())
                .limit(SHOWN)
                .map(entry -> String.format(Locale.ROOT, "%s %.3f", entry.getKey(), entry.getValue()))
                .collect(Collectors.joining(", "));
        return labels + "  (" + probabilities + ")  " + shown(row);
    }

    private void complete(Loading loading, Rows rows, int maxNewTokens) {
        Generator generator = new Generator(loading.base());
        GenerateOptions options = GenerateOptions.DEFAULT.withMaxNewTokens(maxNewTokens);
        Hooks hooks = loading.selection().hooks();
        for (int i = 0; i < rows.size() && !Interruption.requested(); i++) {
            if (rows.get(i) instanceof Row.Speech speech) {
                transcribe(loading, speech, options);
                continue;
            }
            int[] prompt = prompt(loading, rows.get(i), rows.place(i));
            Generated answer = generator
                    .generate(List.of(prompt), options, hooks, (row, piece) -> {})
                    .get(0);
            if (asJson) {
                ObjectNode json = JsonNodeFactory.instance.objectNode();
                json.put("prompt", shown(rows.get(i)));
                json.put("completion", answer.text());
                json.put("finish_reason", answer.reason().name().toLowerCase(Locale.ROOT));
                out.println(Json.compact(json));
            } else {
                out.println(shown(rows.get(i)) + "\n  " + answer.text().strip());
            }
            out.flush();
        }
    }

    private void transcribe(Loading loading, Row.Speech speech, GenerateOptions options) {
        String text = new Transcriber(loading.base(), loading.selection().hooks(), options, null)
                .transcribe(Sound.read(speech.audio()));
        if (asJson) {
            ObjectNode json = JsonNodeFactory.instance.objectNode();
            json.put("audio", speech.audio().toString());
            json.put("text", text);
            out.println(Json.compact(json));
        } else {
            out.println(speech.audio() + "\n  " + text);
        }
        out.flush();
    }

    private static int[] prompt(Loading loading, Row row, String place) {
        if (row instanceof Row.Chat chat) {
            List<Message> messages = question(chat);
            if (messages.isEmpty()) {
                throw new InputException(place + ": the conversation has no message of a user to answer");
            }
            return loading.chat().prompt(messages).ids();
        }
        if (row instanceof Row.Tokens || row instanceof Row.LabelledTokens || row instanceof Row.Image) {
            throw new InputException(place + ": the row is " + row.shape().title()
                    + ", but a completion needs a text, a prompt or messages");
        }
        return loading.base()
                .tokenizer()
                .encode(shown(row), EncodeOptions.DEFAULT)
                .ids();
    }

    /** The conversation up to the answer to be given. */
    private static List<Message> question(Row.Chat chat) {
        int end = chat.messages().size();
        while (end > 0 && chat.messages().get(end - 1).role().equals("assistant")) {
            end--;
        }
        return chat.messages().subList(0, end);
    }

    private static String shown(Row row) {
        if (row instanceof Row.Chat chat) {
            List<Message> messages = question(chat);
            return messages.isEmpty()
                    ? ""
                    : String.valueOf(messages.get(messages.size() - 1).content());
        }
        if (row instanceof Row.Image image) {
            return image.picture().name();
        }
        return row instanceof Row.Completion completion ? completion.prompt() : ((Row.Text) row).text();
    }
}
