package dev.graft.peft.methods.selective;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.sites.Norm;
import dev.graft.models.sites.Projection;
import dev.graft.models.sites.Site;
import dev.graft.peft.Effect;
import dev.graft.peft.Grafter;
import dev.graft.peft.Initializer;
import dev.graft.peft.Method;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.TreeSet;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * BitFit (Ben Zaken et al., 2022): training of the base's biases, {@code y = W x + b'}, including those of norms. They start as the base's, so a
 * new adapter changes nothing.
 *
 * <p>Trained: as many numbers as the chosen biases have, about 0.1 % of BERT. Files: the biases under their own names, in PEFT's layout with
 * {@code peft_type} BITFIT, which PEFT lacks and refuses to load; merge the adapter to use the result there. Merges. Use it on small data and on
 * bases with biases, such as BERT. Llama has none and is refused; (IA)³ is as small there.
 *
 * @param terms which biases: ends of module names, roles ({@code query}, {@code up}, …) or {@code norm}; empty for all
 */
public record BitFit(List<String> terms) implements Method {
    /** Training of all biases. */
    public static final BitFit DEFAULT = new BitFit(List.of());

    public BitFit {
        terms = List.copyOf(terms);
    }

    @Override
    public Type type() {
        return Kind.INSTANCE;
    }

    @Override
    public void graft(Grafter g) {
        Set<String> unused = new TreeSet<>(terms);
        Set<String> known = new TreeSet<>();
        List<Site> chosen = new ArrayList<>();
        for (Site site : g.base().sites()) {
            if (bias(site) == null || g.isSavedWhole(site) || !g.base().task().reads(site)) {
                continue;
            }
            known.add(role(site));
            boolean wanted = terms.isEmpty();
            for (String term : terms) {
                if (names(term, site)) {
                    wanted = true;
                    unused.remove(term);
                }
            }
            if (wanted) {
                chosen.add(site);
            }
        }
        if (known.isEmpty()) {
            throw new InputException(g.base().name()
                    + " has no biases, so there is nothing for BitFit to train; beft, ia3 and lora fit this base");
        }
        if (!unused.isEmpty()) {
            throw new InputException("bias_terms: \"" + unused.iterator().next() + "\" names no bias of "
                    + g.base().name() + "; use ends of module names or one of " + String.join(", ", known));
        }
        for (Site site : chosen) {
            Tensor bias = bias(site);
            if (bias != null) {
                String key = g.base().nameOf(bias);
                g.add(site, new Effect.Replace(null, g.parameter(key, Initializer.copy(bias), bias.size(0))));
            }
        }
    }

    private static @Nullable Tensor bias(Site site) {
        if (site instanceof Projection layer) {
            return layer.bias();
        }
        return site instanceof Norm norm ? norm.bias() : null;
    }

    private static String role(Site site) {
        return site instanceof Projection layer ? layer.role().name().toLowerCase(Locale.ROOT) : "norm";
    }

    private static boolean names(String term, Site site) {
        return site.name().equals(term)
                || site.name().endsWith("." + term)
                || role(site).equals(term);
    }

    @Override
    public void write(ObjectNode json, Base base) {
        if (terms.isEmpty()) {
            json.put("bias_terms", "all");
        } else {
            new TreeSet<>(terms).forEach(json.putArray("bias_terms")::add);
        }
    }

    /** Registers {@code bitfit}. */
    public static final class Kind implements Type {
        static final Kind INSTANCE = new Kind();

        @Override
        public String name() {
            return "bitfit";
        }

        @Override
        public String summary() {
            return "trains the base's biases";
        }

        @Override
        public Capabilities capabilities() {
            return Capabilities.ALL;
        }

        @Override
        public Method defaults() {
            return DEFAULT;
        }

        @Override
        public String peftType() {
            return "BITFIT";
        }

        @Override
        public double rateFactor() {
            return 5;
        }

        @Override
        public List<String> required() {
            return List.of("bias_terms");
        }

        @Override
        public Method read(Fields f, Base base) {
            JsonNode terms = f.node("bias_terms");
            if (terms != null && terms.isString()) {
                f.choice("bias_terms", "all", "all");
                return DEFAULT;
            }
            List<String> names = f.strings("bias_terms");
            if (names.isEmpty()) {
                throw f.invalid("bias_terms", "\"all\" or a list of at least one name", "all");
            }
            return new BitFit(names);
        }
    }
}
