"""XHSTT, the High School Timetable Archive: instances, solutions, and the objective that the format itself defines.

The format of 2014 (Post and others, "XHSTT: an XML archive for high school timetabling problems in different
countries", Annals of Operations Research 218; Kingston, "The HSEval High School Timetable Evaluator", University of
Sydney), with the names of cost functions that older archives have. Each constraint becomes a rule of the model, its
points of application the rule's points; an event becomes a course, a part of it a lesson.
"""
