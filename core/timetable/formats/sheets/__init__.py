"""A school's timetable as an Excel workbook that a head teacher can fill in, and as plain CSV.

Sheets: Days, Teachers, Classes, Rooms, Lessons, Wishes, and Timetable for the result. Only Lessons is needed: teachers,
classes and rooms that are nowhere else are taken from there, and the week is Monday to Friday with eight periods.
A CSV file is the Lessons sheet alone; with a day and a period in its rows it is a timetable as well.
"""
