package dev.graft.eval.claims;

import dev.graft.eval.claims.Finding.Evidence;
import dev.graft.formats.InputException;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/** The survey's claims about methods (its sections 4.1 to 4.4), as far as small bases can test them. */
public enum Claim {
    A("adapters and LoRA come near full fine-tuning", Studies.KINDS) {
        @Override
        public Finding judge(StudyResults results) {
            List<Evidence> parts = new ArrayList<>();
            for (String method : new String[] {"houlsby", "lora"}) {
                results.effect("kinds", method, FULL)
                        .ifPresent(effect -> parts.add(new Evidence(
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
        public Finding judge(StudyResults results) {
            Optional<EffectSize> syntax = results.effect("syntax", PROMPT, LORA);
            Optional<EffectSize> meaning = results.effect("kinds", PROMPT, LORA);
            if (syntax.isEmpty() || meaning.isEmpty()) {
                return untested();
            }
            EffectSize more = syntax.get().minus(meaning.get());
            return concluded(
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
        public Finding judge(StudyResults results) {
            return results.effect("vision", BITFIT, LORA)
                    .map(effect -> concluded(
                            part("BitFit above LoRA, pictures of clothes", effect, "below 0", effect.below())))
                    .orElseGet(() -> untested());
        }
    },
    D("BitFit is fine for classification, worse for tagging", Studies.KINDS, Studies.TAGS) {
        @Override
        public Finding judge(StudyResults results) {
            Optional<EffectSize> classes = results.effect("kinds", BITFIT, LORA);
            Optional<EffectSize> tags = results.effect("tags", BITFIT, LORA);
            List<Evidence> parts = new ArrayList<>();
            classes.ifPresent(effect -> parts.add(part(
                    "BitFit above LoRA, kinds of noun", effect, "at most 3 points below", effect.notWorseThan(0.03))));
            tags.ifPresent(
                    effect -> parts.add(part("BitFit above LoRA, names (twin)", effect, "below 0", effect.below())));
            return found(parts, 2);
        }
    },
    E("adapters and LoRA transfer better", Studies.FILMS) {
        @Override
        public Finding judge(StudyResults results) {
            List<Evidence> parts = new ArrayList<>();
            for (String method : new String[] {"houlsby", "lora"}) {
                List<EffectSize> effects = new ArrayList<>();
                for (String study : new String[] {"films-to-tweets", "films-to-products"}) {
                    results.effect(study, method, PROMPT).ifPresent(effects::add);
                }
                if (effects.size() == 2) {
                    EffectSize mean = EffectSize.mean(effects);
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
        public Finding judge(StudyResults results) {
            List<Evidence> parts = new ArrayList<>();
            for (int shots : new int[] {1, 4, 16, 64}) {
                results.effect("shots-" + shots, PROMPT, LORA)
                        .ifPresent(effect -> parts.add(part(
                                String.format(Locale.ROOT, "prompt tuning above LoRA, %d rows of each class", shots),
                                effect,
                                shots <= 4 ? "at most 2 points below" : "for the curve",
                                shots <= 4 ? effect.notWorseThan(0.02) : ClaimVerdict.HOLDS)));
            }
            Optional<EffectSize> own = results.effect("films", PROMPT, LORA);
            Optional<EffectSize> shifted = results.effect("films-to-tweets", PROMPT, LORA);
            if (own.isPresent() && shifted.isPresent()) {
                EffectSize more = shifted.get().minus(own.get());
                parts.add(part("prompt tuning above LoRA: on tweets less on films", more, "below 0", more.below()));
            }
            return found(parts, 5);
        }
    },
    G("prompt tuning and BitFit are behind where reasoning decides", Studies.INFERENCE) {
        @Override
        public Finding judge(StudyResults results) {
            List<Evidence> parts = new ArrayList<>();
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

    /** Judges the claim by the results. It is untested if a study has no scores. */
    public abstract Finding judge(StudyResults results);

    /** Returns the letter of the claim, {@code a} to {@code g}. */
    public String id() {
        return name().toLowerCase(Locale.ROOT);
    }

    public String statement() {
        return statement;
    }

    /** Returns the comparisons that test the claim; claims share some. */
    public List<Study> studies() {
        return studies;
    }

    /**
     * Returns the claim of that letter.
     *
     * @throws InputException if there is none
     */
    public static Claim named(String id) {
        for (Claim claim : values()) {
            if (claim.id().equals(id)) {
                return claim;
            }
        }
        throw new InputException("there is no claim " + id + ", but a to g");
    }

    static Evidence part(String what, EffectSize effect, String condition, ClaimVerdict verdict) {
        return new Evidence(what, effect, condition, verdict);
    }

    Finding untested() {
        return finding(ClaimVerdict.UNTESTED, List.of());
    }

    Finding concluded(Evidence... parts) {
        return concluded(List.of(parts));
    }

    private Finding concluded(List<Evidence> parts) {
        return finding(ClaimVerdict.all(parts.stream().map(Evidence::verdict).toList()), parts);
    }

    private Finding finding(ClaimVerdict verdict, List<Evidence> parts) {
        return new Finding(id(), statement, verdict, parts);
    }

    Finding found(List<Evidence> parts, int expected) {
        if (parts.isEmpty()) {
            return untested();
        }
        Finding finding = concluded(parts);
        return parts.size() < expected && finding.verdict() != ClaimVerdict.CONTRADICTED
                ? finding(ClaimVerdict.UNTESTED, parts)
                : finding;
    }
}
