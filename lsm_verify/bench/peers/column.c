/* The twin in C, columns side by side in vectors: the nearest thing to the limit of a CPU.

   One spacing, step, conductivity and heat capacity per column, so that the elimination is done
   once. G vectors of V columns of type real go together: V fills a register (GCC vector
   extensions), G hides the latency of the two recurrences. Symbols as in reference/derivation.md,
   divided by s_0: r = λ Δt / (C Δ²), s = 2 Δt / (C Δ). Compile with -O3 -march=native -DG=2
   -Dreal=double. */

#if defined(__AVX512F__)
#define BYTES 64
#elif defined(__AVX__)
#define BYTES 32
#else
#define BYTES 16
#endif
enum { V = BYTES / sizeof(real) };

typedef real lanes __attribute__((vector_size(BYTES), aligned(sizeof(real))));

enum { NEWTON = 5 };

#define EACH for (int g = 0; g < G; g++)

typedef struct {
    long nodes, steps;
    real spacing, time_step, emission, longwave, air; /* emission = ε σ */
    const real *shortwave;                            /* (steps) */
    const real *observed;                             /* (2, steps + 1) */
    long index[2];                                    /* upper node of both observations */
    real fraction[2];                                 /* share of the lower one */
} task;

typedef lanes row[G]; /* one number of every column */

long vector_width(void) { return V; }

static inline void misfit(const task *t, const row *T, long n, row total)
{
    for (int k = 0; k < 2; k++) {
        long i = t->index[k];
        real f = t->fraction[k], wanted = t->observed[k * (t->steps + 1) + n];
        EACH {
            lanes y = f == 0 ? T[i][g] : (1 - f) * T[i][g] + f * T[i + 1][g];
            total[g] += (y - wanted) * (y - wanted);
        }
    }
}

/* Forward run of G V columns. theta: (6, G, V) in the order of workloads.NAMES; work: 4 (nodes + 1)
   rows; J: one row; T: (steps + 1, nodes + 1) rows, or null where no trajectory is kept. */
void forward(const task *t, const real *theta, real *work, real *J, real *T)
{
    const long N = t->nodes, S = t->steps;
    const row *p = (const row *)theta;
    row *restrict x = (row *)work, *restrict a = x + N + 1, *restrict w = a + N + 1;
    row *restrict b = w + N + 1, *restrict kept = (row *)T;
    row s, H, r2, held, c1, c4, total, up, y;

    EACH {
        lanes r = p[3][g] / p[4][g] * (t->time_step / (t->spacing * t->spacing));
        H[g] = p[1][g] * (1 + 1 / p[2][g]);
        s[g] = 2 * t->time_step / (p[4][g] * t->spacing);
        r2[g] = 2 * r;
        /* 1 + 2r - r a_{i+1} without a subtraction: held = r (1 - a_{i+1}). */
        held[g] = r;
        for (long i = N - 1; i > 0; i--) {
            w[i][g] = 1 / (1 + r + held[g]);
            a[i][g] = r * w[i][g];
            held[g] = a[i][g] * (1 + held[g]);
        }
        c1[g] = 1 + s[g] * H[g] + 2 * held[g];
        c4[g] = s[g] * t->emission;
        total[g] = 0 * r;
    }
    for (long i = 0; i <= N; i++) EACH x[i][g] = p[5][g];
    if (T) for (long i = 0; i <= N; i++) EACH kept[i][g] = p[5][g];
    misfit(t, x, 0, total);
    for (long n = 0; n < S; n++) {
        EACH up[g] = p[5][g];
        for (long i = N - 1; i > 0; i--) EACH b[i][g] = up[g] = w[i][g] * x[i][g] + a[i][g] * up[g];
        EACH {
            lanes absorbed = t->shortwave[n] * (1 - p[0][g]) + t->longwave;
            lanes load = x[0][g] + s[g] * (absorbed + H[g] * t->air) + r2[g] * up[g];
            y[g] = x[0][g];
            for (int k = 0; k < NEWTON; k++) {
                lanes y3 = y[g] * y[g] * y[g];
                y[g] -= (c1[g] * y[g] + c4[g] * y3 * y[g] - load) / (c1[g] + 4 * c4[g] * y3);
            }
            x[0][g] = y[g];
        }
        if (T) {
            row *restrict at = kept + (n + 1) * (N + 1);
            EACH at[0][g] = y[g];
            for (long i = 1; i < N; i++) EACH at[i][g] = x[i][g] = y[g] = a[i][g] * y[g] + b[i][g];
            EACH at[N][g] = p[5][g];
        } else {
            for (long i = 1; i < N; i++) EACH x[i][g] = y[g] = a[i][g] * y[g] + b[i][g];
        }
        misfit(t, x, n + 1, total);
    }
    EACH ((row *)J)[0][g] = total[g] / (real)(2 * (S + 1));
}
