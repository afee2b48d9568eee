/* The hand-made model of rt_fake_model.c; naming fake_overflow or adavic_manifest links it. */
#ifndef RT_FAKE_MODEL_H
#define RT_FAKE_MODEL_H

extern float fake_overflow, fake_derivative;

#endif
