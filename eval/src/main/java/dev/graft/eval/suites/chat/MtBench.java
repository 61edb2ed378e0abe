package dev.graft.eval.suites.chat;

import dev.graft.eval.suites.chat.Judge.Judgement;
import dev.graft.eval.suites.chat.Judge.Winner;
import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.chat.Chat;
import dev.graft.models.chat.Message;
import dev.graft.models.generate.GenerateOptions;
import dev.graft.models.generate.Generator;
import dev.graft.models.generate.TextListener;
import dev.graft.models.sites.Hooks;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Generates answers to MT-Bench's questions and has a judge rate or compare them. */
public record MtBench(List<MtQuestion> questions, Judge judge) {
    public MtBench {
        questions = List.copyOf(questions);
    }

    /**
     * Generates answers to both turns of the questions, at the temperature of their category and with their number as the seed.
     *
     * @param tokens the maximum number of tokens of an answer
     * @throws InputException if the conversation leaves no room for an answer
     */
    public static Map<Integer, List<String>> answer(
            List<MtQuestion> questions, Base base, Hooks hooks, Chat chat, int tokens) {
        Generator generator = new Generator(base);
        Map<Integer, List<String>> answers = new LinkedHashMap<>();
        for (MtQuestion question : questions) {
            GenerateOptions options = GenerateOptions.DEFAULT
                    .withTemperature(question.temperature())
                    .withSeed(question.id());
            List<Message> said = new ArrayList<>();
            List<String> own = new ArrayList<>();
            for (String turn : question.turns()) {
                said.add(Message.user(turn));
                int[] prompt = chat.prompt(said).ids();
                int room = base.backbone().maxPositions() - prompt.length;
                if (room < 1) {
                    throw new InputException("question " + question.id() + " has a conversation of " + prompt.length
                            + " tokens, but " + base.name() + " reads "
                            + base.backbone().maxPositions());
                }
                String text = generator
                        .generate(
                                List.of(prompt),
                                options.withMaxNewTokens(Math.min(tokens, room)),
                                hooks,
                                TextListener.SILENT)
                        .get(0)
                        .text()
                        .strip();
                said.add(Message.assistant(text));
                own.add(text);
            }
            answers.put(question.id(), own);
        }
        return answers;
    }

    /** Rates answers. */
    public MtRatings rate(Map<Integer, List<String>> answers) {
        List<MtRatings.Rating> ratings = new ArrayList<>();
        for (MtQuestion question : questions) {
            List<String> own = of(answers, question);
            for (int turn = 0; turn < question.turns().size(); turn++) {
                ratings.add(new MtRatings.Rating(question, turn, judge.rate(question, turn, own)));
            }
        }
        return new MtRatings(judge.name(), ratings);
    }

    /**
     * Compares answers with others. The judge sees each pair in both orders; contradictory judgements count as a tie.
     *
     * @param others the opponent's answers
     */
    public MtMatches compare(Map<Integer, List<String>> answers, Map<Integer, List<String>> others) {
        List<MtMatches.Match> matches = new ArrayList<>();
        for (MtQuestion question : questions) {
            List<String> own = of(answers, question);
            List<String> other = of(others, question);
            for (int turn = 0; turn < question.turns().size(); turn++) {
                Judgement<Winner> first = judge.compare(question, turn, own, other, false);
                Judgement<Winner> second = judge.compare(question, turn, other, own, true);
                Winner back = second.value();
                matches.add(new MtMatches.Match(
                        question, turn, first, new Judgement<>(back == null ? null : back.swapped(), second.failed())));
            }
        }
        return new MtMatches(judge.name(), matches);
    }

    private static List<String> of(Map<Integer, List<String>> answers, MtQuestion question) {
        List<String> own = answers.get(question.id());
        if (own == null || own.size() != question.turns().size()) {
            throw new InputException("there " + (own == null ? "is no answer" : "are " + own.size() + " answers")
                    + " to question " + question.id() + ", expected one for each of its "
                    + question.turns().size() + " turns");
        }
        return own;
    }
}
