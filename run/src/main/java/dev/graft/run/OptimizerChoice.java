package dev.graft.run;

import dev.graft.formats.Fields;
import dev.graft.formats.InputException;
import dev.graft.run.config.OptimizerOptions;
import dev.graft.run.config.OptimizerOptions.LrScheduler;
import dev.graft.run.methods.MethodFactory;
import dev.graft.train.ParameterGroup;
import dev.graft.train.optim.Adafactor;
import dev.graft.train.optim.AdamW;
import dev.graft.train.optim.AdamW8bit;
import dev.graft.train.optim.FlatParameters.Decay;
import dev.graft.train.optim.Lbfgs;
import dev.graft.train.optim.Lion;
import dev.graft.train.optim.Optimizer;
import dev.graft.train.optim.RiemannianAdamW;
import dev.graft.train.optim.Sgd;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** The optimiser that the options of a run describe. */
record OptimizerChoice(OptimizerOptions options) {

    /** @throws InputException for an option that the optimiser doesn't have, or a value out of range */
    Optimizer.Settings settings() {
        Fields own = fields("optimizer_kwargs", options.optimizerKwargs());
        Optimizer.Settings settings = settings(own);
        own.rejectUnread("It is no option of optimizer " + options.optimizer().title() + ".");
        return settings;
    }

    private Optimizer.Settings settings(Fields own) {
        return switch (options.optimizer()) {
            case ADAMW -> adamw();
            case ADAMW_8BIT ->
                new AdamW8bit.Settings(adamw(), own.integer("min_8bit_size", AdamW8bit.Settings.SMALLEST, 0));
            case RIEMANNIAN_ADAMW ->
                new RiemannianAdamW.Settings(adamw(), own.number("reg", RiemannianAdamW.Settings.DAMPING));
            case ADAFACTOR -> adafactor(own);
            case LION -> {
                List<Double> betas = options.betas();
                yield new Lion.Settings(
                        betas == null ? Lion.Settings.DEFAULT.beta1() : betas.get(0),
                        betas == null ? Lion.Settings.DEFAULT.beta2() : betas.get(1),
                        options.weightDecay(),
                        Decay.MATRICES);
            }
            case LBFGS -> lbfgs(own);
            case SGD -> {
                Double momentum = options.momentum();
                yield new Sgd.Settings(momentum == null ? 0 : momentum, options.weightDecay(), Decay.MATRICES);
            }
        };
    }

    private AdamW.Settings adamw() {
        AdamW.Settings usual = AdamW.Settings.DEFAULT;
        List<Double> betas = options.betas();
        Double eps = options.eps();
        return new AdamW.Settings(
                betas == null ? usual.beta1() : betas.get(0),
                betas == null ? usual.beta2() : betas.get(1),
                eps == null ? usual.eps() : eps,
                options.weightDecay(),
                Decay.MATRICES);
    }

    private Adafactor.Settings adafactor(Fields own) {
        Adafactor.Settings usual = Adafactor.Settings.DEFAULT;
        boolean relative = own.bool("relative_step", usual.relativeStep());
        if (relative && (options.learningRate() != null || options.lrScheduler() != LrScheduler.CONSTANT)) {
            throw new InputException("optimizer_kwargs: relative_step sets the learning rate by the number of the step;"
                    + " leave out learning_rate and set lr_scheduler to constant, or leave out relative_step");
        }
        return new Adafactor.Settings(
                own.number("eps1", usual.gradientEps()),
                own.number("eps2", usual.scaleEps()),
                own.number("clip_threshold", usual.clipThreshold()),
                own.number("decay_rate", usual.decayRate()),
                own.numberOrNull("beta1"),
                own.bool("scale_parameter", usual.scaleParameter()),
                relative,
                own.bool("warmup_init", usual.warmupInit()),
                options.weightDecay(),
                Decay.MATRICES);
    }

    private static Lbfgs.Settings lbfgs(Fields own) {
        Lbfgs.Settings usual = Lbfgs.Settings.DEFAULT;
        int iterations = own.integer("max_iter", usual.iterations());
        return new Lbfgs.Settings(
                iterations,
                own.integer("max_eval", Math.max(1, iterations * 5 / 4)),
                own.number("tolerance_grad", usual.gradientTolerance()),
                own.number("tolerance_change", usual.changeTolerance()),
                own.integer("history_size", usual.history()),
                own.choice("line_search_fn", "none", "none", "strong_wolfe").equals("strong_wolfe"));
    }

    /** The groups of parameters with rates or decays of their own. */
    List<ParameterGroup> groups() {
        List<ParameterGroup> groups = new ArrayList<>();
        new TreeMap<>(options.parameterGroups()).forEach((names, value) -> {
            if (!(value instanceof Map<?, ?> map)) {
                throw new InputException("parameter_groups: " + names + " is " + value
                        + ", expected a mapping such as {learning_rate: 1e-3, weight_decay: 0.0}");
            }
            Fields own = fields("parameter_groups: " + names, map);
            groups.add(new ParameterGroup(names, own.numberOrNull("learning_rate"), own.numberOrNull("weight_decay")));
            own.rejectUnread("A group has learning_rate and weight_decay.");
        });
        return groups;
    }

    private static Fields fields(String source, Map<?, ?> options) {
        return Fields.of(source, MethodFactory.node(options));
    }
}
