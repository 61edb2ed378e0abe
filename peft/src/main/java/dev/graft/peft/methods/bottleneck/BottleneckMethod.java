package dev.graft.peft.methods.bottleneck;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.peft.Grafter;
import dev.graft.peft.Method;
import dev.graft.peft.methods.internal.AdapterHubType;
import java.util.function.Function;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/** A method of the bottleneck family: one form of {@link BottleneckConfig} under the name that it is known by. */
interface BottleneckMethod extends Method {
    BottleneckConfig config();

    @Override
    default void graft(Grafter g) {
        Bottlenecks.graft(g, config());
    }

    @Override
    default void write(ObjectNode c, Base base) {
        config().write(c);
    }

    /** The forms; every configuration has exactly one. */
    enum Form {
        COMPACTER,
        COMPACTER_PLUS_PLUS,
        INVERTIBLE,
        PARALLEL,
        SCALED_PARALLEL,
        ADAPTER_PLUS,
        HOULSBY,
        PFEIFFER;

        static Form of(BottleneckConfig c) {
            return of(
                    c.phm() != null,
                    c.coupling() != null,
                    c.parallel(),
                    c.scaling().trained(),
                    c.norms().after(),
                    c.normed());
        }

        private static Form of(
                boolean phm, boolean coupling, boolean parallel, boolean scaled, boolean after, boolean normed) {
            if (phm) {
                return normed ? COMPACTER_PLUS_PLUS : COMPACTER;
            }
            if (coupling) {
                return INVERTIBLE;
            }
            if (parallel) {
                return scaled ? SCALED_PARALLEL : PARALLEL;
            }
            if (!after) {
                return ADAPTER_PLUS;
            }
            return normed ? PFEIFFER : HOULSBY;
        }

        /** Refuses settings that are another method. */
        void require(BottleneckConfig config) {
            Form form = of(config);
            if (form != this) {
                throw new InputException("phm_layer, inv_adapter, is_parallel, scaling, original_ln_after and"
                        + " original_ln_before are those of " + form.method() + ", expected those of " + method());
            }
        }

        private String method() {
            return name().toLowerCase(java.util.Locale.ROOT).replace('_', '-');
        }
    }

    /** Registers such a method. */
    abstract class Kind implements AdapterHubType {
        private final Form form;
        private final String peftType;
        private final String summary;
        private final boolean identity;
        private final Function<BottleneckConfig, Method> method;

        Kind(Form form, String peftType, String summary, boolean identity, Function<BottleneckConfig, Method> method) {
            this.form = form;
            this.peftType = peftType;
            this.summary = summary;
            this.identity = identity;
            this.method = method;
        }

        @Override
        public String name() {
            return form.method();
        }

        @Override
        public String summary() {
            return summary;
        }

        @Override
        public Capabilities capabilities() {
            return Capabilities.ALL.withMergeable(false).withIdentityAtStart(identity);
        }

        @Override
        public String peftType() {
            return peftType;
        }

        /** AdapterHub's bottlenecks are the ones without an architecture. */
        @Override
        public boolean matches(Fields f) {
            JsonNode architecture = f.node("architecture");
            JsonNode inverse = f.node("inv_adapter");
            JsonNode scaling = f.node("scaling");
            return (architecture == null || architecture.isNull())
                    && Form.of(
                                    is(f, "phm_layer", false),
                                    inverse != null && !inverse.isNull(),
                                    is(f, "is_parallel", false),
                                    scaling != null && scaling.isString(),
                                    is(f, "original_ln_after", true),
                                    is(f, "original_ln_before", false))
                            == form;
        }

        private static boolean is(Fields f, String field, boolean absent) {
            JsonNode value = f.node(field);
            return value == null ? absent : value.isBoolean() && value.booleanValue();
        }

        @Override
        public Method read(Fields f, Base base) {
            return method.apply(BottleneckConfig.read(f));
        }
    }
}
