package dev.graft.eval.claims;

import dev.graft.eval.claims.Finding.Part;
import dev.graft.formats.InputException;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/** The survey's claims about methods (its sections 4.1 to 4.4), as far as they can be tried on small bases. */
public enum Claim {
    A("adapters and LoRA come near full fine-tuning", Studies.KINDS) {
        @Override
        public Finding judge(Results results) {
            List<Part> parts = new ArrayList<>();
            for (String method : new String[] {"houlsby", "lora"}) {
                results.effect("kinds", method, FULL)
                        .ifPresent(effect -> parts.add(new Part(
                                method + " above full fine-tuning, kinds of noun",
                                effect,
                                "at most 2 points below",
                                effect.notWorseThan(0.02))));
            }
            return found(parts, 2);
        }
    },
    B("prompt tuning is weaker where syntax decides", Studies.KINDS, Studies.SYNTAX) {
        @Override
        public Finding judge(Results results) {
            Optional<Effect> syntax = results.effect("syntax", PROMPT, LORA);
            Optional<Effect> meaning = results.effect("kinds", PROMPT, LORA);
            if (syntax.isEmpty() || meaning.isEmpty()) {
                return Finding.untested(this);
            }
            Effect more = syntax.get().minus(meaning.get());
            return Finding.of(
                    this,
                    part(
                            "prompt tuning above LoRA, acceptability",
                            syntax.get(),
                            "below 0",
                            syntax.get().below()),
                    part("the same, less that on kinds of noun", more, "below 0", more.below()));
        }
    },
    C("BitFit is weak in vision", Studies.VISION) {
        @Override
        public Finding judge(Results results) {
            return results.effect("vision", BITFIT, LORA)
                    .map(effect -> Finding.of(
                            this, part("BitFit above LoRA, pictures of clothes", effect, "below 0", effect.below())))
                    .orElseGet(() -> Finding.untested(this));
        }
    },
    D("BitFit is fine for classification, worse for tagging", Studies.KINDS, Studies.TAGS) {
        @Override
        public Finding judge(Results results) {
            Optional<Effect> classes = results.effect("kinds", BITFIT, LORA);
            Optional<Effect> tags = results.effect("tags", BITFIT, LORA);
            List<Part> parts = new ArrayList<>();
            classes.ifPresent(effect -> parts.add(part(
                    "BitFit above LoRA, kinds of noun", effect, "at most 3 points below", effect.notWorseThan(0.03))));
            tags.ifPresent(
                    effect -> parts.add(part("BitFit above LoRA, names (twin)", effect, "below 0", effect.below())));
            return found(parts, 2);
        }
    },
    E("adapters and LoRA transfer better", Studies.FILMS) {
        @Override
        public Finding judge(Results results) {
            List<Part> parts = new ArrayList<>();
            for (String method : new String[] {"houlsby", "lora"}) {
                List<Effect> effects = new ArrayList<>();
                for (String study : new String[] {"films-to-tweets", "films-to-products"}) {
                    results.effect(study, method, PROMPT).ifPresent(effects::add);
                }
                if (effects.size() == 2) {
                    Effect mean = Effect.mean(effects);
                    parts.add(part(
                            method + " above prompt tuning, trained on films, scored on tweets and products",
                            mean,
                            "above 0",
                            mean.above()));
                }
            }
            return found(parts, 2);
        }
    },
    F(
            "prompt tuning is good with few rows, poor when the domain shifts",
            Studies.SHOTS_1,
            Studies.SHOTS_4,
            Studies.SHOTS_16,
            Studies.SHOTS_64,
            Studies.FILMS) {
        @Override
        public Finding judge(Results results) {
            List<Part> parts = new ArrayList<>();
            for (int shots : new int[] {1, 4, 16, 64}) {
                results.effect("shots-" + shots, PROMPT, LORA)
                        .ifPresent(effect -> parts.add(part(
                                String.format(Locale.ROOT, "prompt tuning above LoRA, %d rows of each class", shots),
                                effect,
                                shots <= 4 ? "at most 2 points below" : "for the curve",
                                shots <= 4 ? effect.notWorseThan(0.02) : Verdict.HOLDS)));
            }
            Optional<Effect> own = results.effect("films", PROMPT, LORA);
            Optional<Effect> shifted = results.effect("films-to-tweets", PROMPT, LORA);
            if (own.isPresent() && shifted.isPresent()) {
                Effect more = shifted.get().minus(own.get());
                parts.add(part("prompt tuning above LoRA: on tweets less on films", more, "below 0", more.below()));
            }
            return found(parts, 5);
        }
    },
    G("prompt tuning and BitFit are behind where reasoning decides", Studies.INFERENCE) {
        @Override
        public Finding judge(Results results) {
            List<Part> parts = new ArrayList<>();
            for (String method : new String[] {PROMPT, BITFIT}) {
                results.effect("inference", method, LORA)
                        .ifPresent(effect -> parts.add(
                                part(method + " above LoRA, inference (twin)", effect, "below 0", effect.below())));
            }
            return found(parts, 2);
        }
    };

    private static final String FULL = "full-fine-tuning";
    private static final String LORA = "lora";
    private static final String PROMPT = "prompt-tuning";
    private static final String BITFIT = "bitfit";

    private final String statement;
    private final List<Study> studies;

    Claim(String statement, Study... studies) {
        this.statement = statement;
        this.studies = List.of(studies);
    }

    /** What the results say of it; untested where a study has no scores. */
    public abstract Finding judge(Results results);

    /** {@code a} to {@code g}. */
    public String id() {
        return name().toLowerCase(Locale.ROOT);
    }

    public String statement() {
        return statement;
    }

    /** The comparisons that it rests on; claims share some. */
    public List<Study> studies() {
        return studies;
    }

    /** @throws InputException if there is none of that letter */
    public static Claim named(String id) {
        for (Claim claim : values()) {
            if (claim.id().equals(id)) {
                return claim;
            }
        }
        throw new InputException("there is no claim " + id + ", but a to g");
    }

    static Part part(String what, Effect effect, String condition, Verdict verdict) {
        return new Part(what, effect, condition, verdict);
    }

    Finding found(List<Part> parts, int expected) {
        if (parts.isEmpty()) {
            return Finding.untested(this);
        }
        Finding finding = Finding.of(this, parts.toArray(Part[]::new));
        return parts.size() < expected && finding.verdict() != Verdict.CONTRADICTED
                ? new Finding(this, Verdict.UNTESTED, parts)
                : finding;
    }
}
