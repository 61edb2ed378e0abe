package dev.graft.eval.predict;

import dev.graft.eval.metrics.spans.Span;
import dev.graft.eval.metrics.spans.TagScheme;
import dev.graft.models.Base;
import dev.graft.models.sites.Hooks;
import dev.graft.train.Predictor;
import dev.graft.train.data.Examples;
import dev.graft.train.data.Label;
import dev.graft.train.data.Labels;
import dev.graft.train.data.Overflow;
import dev.graft.train.data.Row;
import dev.graft.train.data.Rows;
import dev.graft.train.data.TokenClassificationEncoder;
import dev.graft.train.loss.Prediction;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * Token classification: predicts a tag for each word.
 *
 * <pre>{@code
 * Tagger tagger = new Tagger(base, 32);
 * tagger.of(List.of(List.of("Ada", "wrote")), hooks).get(0).words().get(0).tag();   // B-PER
 * }</pre>
 *
 * @param base a base with the head of a token classifier
 * @param batchSize the number of texts in a forward pass
 */
public record Tagger(Base base, int batchSize) {

    /**
     * A word with its tag.
     *
     * @param tag null if the word is beyond the model's maximum length or has no token
     * @param probability the probability of the tag; 0 without one
     */
    public record TaggedWord(String word, @Nullable String tag, double probability) {}

    /** A text with its tags. */
    public record TaggedText(List<TaggedWord> words) {
        public TaggedText {
            words = List.copyOf(words);
        }

        /** Returns the spans that the tags mark, such as named entities; empty if the tags mark no spans. */
        public List<Span> spans() {
            List<String> tags = words.stream()
                    .map(word -> word.tag() == null ? "O" : word.tag())
                    .toList();
            TagScheme scheme = TagScheme.of(tags);
            return scheme == null ? List.of() : scheme.spans(tags);
        }
    }

    /** Tags texts, each a list of words, in their order. */
    public List<TaggedText> tag(List<List<String>> texts, Hooks hooks) {
        Map<Integer, String> ids = new TreeMap<>();
        base.labels().forEach(name -> ids.put(ids.size(), name));
        TokenClassificationEncoder encoder = new TokenClassificationEncoder(base.tokenizer(), Labels.fromIds(ids));
        int most = base.backbone().maxPositions();
        // The tags that words must have to be encoded say nothing about the answer.
        Rows rows = Rows.of(
                "words",
                texts.stream()
                        .map(words -> new Row.Words(
                                words,
                                new Label.Each(Collections.nCopies(
                                        words.size(), base.labels().get(0)))))
                        .toList());
        Prediction.Tags[] tags = new Prediction.Tags[texts.size()];
        new Predictor(base, Examples.encode(rows, encoder, most, Overflow.TRUNCATE), batchSize)
                .predict(hooks, prediction -> tags[prediction.row()] = (Prediction.Tags) prediction);
        List<TaggedText> tagged = new ArrayList<>();
        for (int i = 0; i < tags.length; i++) {
            tagged.add(text(texts.get(i), encoder.firstTokens(texts.get(i), most), tags[i]));
        }
        return tagged;
    }

    private TaggedText text(List<String> words, int[] tokens, Prediction.@Nullable Tags tags) {
        List<TaggedWord> tagged = new ArrayList<>();
        int next = 0;
        for (int i = 0; i < words.size(); i++) {
            if (tokens[i] < 0 || tags == null) {
                tagged.add(new TaggedWord(words.get(i), null, 0));
                continue;
            }
            Prediction.SingleLabel tag = tags.tokens().get(next++);
            tagged.add(new TaggedWord(
                    words.get(i), base.labels().get(tag.predicted()), tag.probabilities()[tag.predicted()]));
        }
        return new TaggedText(tagged);
    }
}
